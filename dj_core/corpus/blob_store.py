"""Stores the MIDI files of a corpus: one blob file per import, end to end.

A file each costs a file system more than reading, checking and grouping it, and a block of 4 KB for
400 bytes. A pack is called by a hash of what is in it. It is written in a folder of its own and
moved to its place when it is whole, before the index that tells what lies where in it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dj_core.errors import not_saved
from dj_core.files.storage import temporary_folder

PACKS = "files"
_ENDING = ".pack"
_HASH = re.compile("[0-9a-f]{64}")


class Kept(NamedTuple):
    """Where the bytes of a file are.

    Attributes:
        pack: name of the pack; '' for that of the import under way.
        offset_bytes, size_bytes: where in the pack.
    """

    pack: str = ""
    offset_bytes: int = 0
    size_bytes: int = 0


def read_kept(folder: Path, kept: Kept) -> bytes:
    """The bytes of a file of the corpus in `folder`. Raises OSError."""
    if not _HASH.fullmatch(kept.pack):  # no import of ours called it so: it may lead elsewhere
        raise OSError(errno.ENOENT, f"its index names {kept.pack[:80]!r}, which no import does")
    with (folder / PACKS / f"{kept.pack}{_ENDING}").open("rb", buffering=0) as file:
        file.seek(kept.offset_bytes)
        content = file.read(kept.size_bytes)
    if len(content) != kept.size_bytes:
        raise OSError(0, "the pack it lies in was cut off")
    return content


class PackWriter:
    """The pack of one import. Raises LibraryError where the disk is full or closed to us.

    Entered, it sees to it that the folder is as it was when the block fails.
    """

    def __init__(self, folder: Path) -> None:
        """Nothing is made in the corpus's `folder` before there is something to keep."""
        self._folder, self._was_there = folder, folder.exists()
        self._open_until = ExitStack()
        self._file: BinaryIO | None = None
        self._size = 0
        self._hash = hashlib.sha256()
        self._new_path: Path | None = None

    def add(self, digest: str, content: bytes) -> Kept:
        """Keep bytes under their SHA-256; tells where they are."""
        with self._saving():
            if self._file is None:
                # should the process be killed, `storage.remove_leftovers` knows the folder
                place = self._open_until.enter_context(temporary_folder(self._folder))
                self._file = self._open_until.enter_context((place / "pack").open("w+b"))
            self._file.write(content)
        self._hash.update(digest.encode())
        kept = Kept("", self._size, len(content))
        self._size += len(content)
        return kept

    def read(self, kept: Kept) -> bytes:
        """What was added a while ago, or by an earlier import. Raises OSError."""
        if kept.pack or self._file is None:
            return read_kept(self._folder, kept)
        self._file.seek(kept.offset_bytes)
        content = self._file.read(kept.size_bytes)
        self._file.seek(0, os.SEEK_END)
        return content

    def finish(self) -> str:
        """Put the pack in its place and tell its name; '' where nothing was added."""
        if self._file is None:
            return ""
        name = self._hash.hexdigest()
        path = self._folder / PACKS / f"{name}{_ENDING}"
        with self._saving():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            path.parent.mkdir(exist_ok=True)
            if not path.exists():  # an earlier version of the index may have had the same
                self._new_path = path
            Path(self._file.name).replace(path)
        return name

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(self, failed: type[BaseException] | None, *told: object) -> None:
        if failed and self._new_path:
            self._new_path.unlink(missing_ok=True)
        with suppress(OSError):  # what could not be written then cannot be now
            self._open_until.close()
        if failed and not self._was_there:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _saving(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"The corpus could not be saved in {self._folder.parent}"
            raise not_saved(what, error) from error
