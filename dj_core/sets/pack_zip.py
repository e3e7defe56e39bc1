"""Writes a zip entry by entry; equal contents give equal bytes."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from dj_core.files.storage import atomic_file

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name
UNIX = 3
FILE_MODE, SCRIPT_MODE = 0o100644, 0o100755
SQUEEZE = 1  # drums compress by half at the fastest level, and hardly better at the slowest


class PackWriter:
    """A zip file being written; everything in it lies in one folder.

    Attributes:
        entries: the names written so far, with their folder.
    """

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self.entries: list[str] = []
        self._archive, self._folder = archive, folder

    def add(self, name: str, content: bytes | Iterable[bytes], *, script: bool = False) -> int:
        """Write an entry; returns its size in bytes.

        Args:
            name: below the pack's folder, with / between the parts.
            content: all of it, or part after part.
            script: it can be started by a double-click.
        """
        entry = zipfile.ZipInfo(f"{self._folder}/{name}", EARLIEST)
        entry.create_system = UNIX
        entry.external_attr = (SCRIPT_MODE if script else FILE_MODE) << 16
        self.entries.append(entry.filename)
        if isinstance(content, bytes):
            self._archive.writestr(entry, content, zipfile.ZIP_DEFLATED, SQUEEZE)
            return len(content)
        # hours of sound are left as they are: squeezing them takes longer than playing them
        with self._archive.open(entry, "w", force_zip64=True) as file:
            return sum(file.write(part) for part in content)


@contextlib.contextmanager
def writing_pack(path: Path, folder: str) -> Iterator[PackWriter]:
    """A pack that takes the place of `path` when it is whole, and leaves nothing otherwise.

    Args:
        path: the .zip file.
        folder: the one folder all entries lie in.

    Raises:
        LibraryError: no space or permission.
    """
    with atomic_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        yield PackWriter(archive, folder)
