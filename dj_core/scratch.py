"""Files that some work needs on disk only while it is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dj_core.errors import LibraryError
from dj_core.storage import temporary_folder


class Scratch:
    """A folder in a corpus's own, made when it is first needed and removed in the end.

    Should the process be killed, `storage.remove_leftovers` knows it by its name. Everything raises
    LibraryError where the disk is full or closed to us.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is made in the corpus's `folder` before there is something to put away."""
        self._folder = folder
        self._open_until = ExitStack()
        self._place: Path | None = None

    def file(self, name: str, buffering: int = -1) -> BinaryIO:
        """A new file to write and read."""
        with self.saving():
            if self._place is None:
                place = temporary_folder(self._folder, "import")
                self._place = self._open_until.enter_context(place)
            return self._open_until.enter_context((self._place / name).open("w+b", buffering))

    @contextmanager
    def saving(self) -> Iterator[None]:
        """A block that writes or reads here."""
        try:
            yield
        except OSError as error:
            raise self.not_saved(error) from error

    def not_saved(self, error: OSError) -> LibraryError:
        """What to say of a disk that is full or closed to us."""
        return LibraryError(
            f"The corpus could not be saved in {self._folder.parent}: {error.strerror or error}. "
            "Free some space and import again; nothing was changed."
        )

    def close(self) -> None:
        """Remove everything that was not moved away."""
        with suppress(OSError):  # what could not be written then cannot be now
            self._open_until.close()


def write_whole(file: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of it to a file without a buffer, which may take less at a time. Raises OSError."""
    rest = memoryview(content).cast("B")
    while rest:
        rest = rest[file.write(rest) :]
