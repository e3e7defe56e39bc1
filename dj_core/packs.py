"""Where a corpus keeps its MIDI files: all that one import brought in one file, end to end.

A file each costs a file system more than reading, checking and grouping it, and a block of 4 KB for
400 bytes. A pack is called by a hash of what is in it. It is written in a folder of its own and
moved to its place when it is whole, before the index that tells what lies where in it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dj_core.errors import LibraryError
from dj_core.storage import temporary_folder

PACKS = "files"
_ENDING = ".pack"


class Kept(NamedTuple):
    """Where the bytes of a file are.

    Attributes:
        pack: name of the pack; '' for a file of its own, as older corpora have them.
        offset_bytes, size_bytes: where in the pack.
    """

    pack: str = ""
    offset_bytes: int = 0
    size_bytes: int = 0


def _own_path(folder: Path, digest: str) -> Path:
    return folder / PACKS / digest[:2] / f"{digest}.mid"


def read_kept(folder: Path, digest: str, kept: Kept) -> bytes:
    """The bytes of a file of the corpus in `folder`. Raises OSError."""
    if not kept.pack:
        return _own_path(folder, digest).read_bytes()
    with (folder / PACKS / f"{kept.pack}{_ENDING}").open("rb", buffering=0) as file:
        file.seek(kept.offset_bytes)
        content = file.read(kept.size_bytes)
    if len(content) != kept.size_bytes:
        raise OSError(0, "the pack it lies in was cut off")
    return content


def lay_out(folder: Path, digest: str, kept: Kept) -> Path:
    """A file of its own with what is kept; made if need be. Raises OSError."""
    path = _own_path(folder, digest)
    if kept.pack and not (path.exists() and path.stat().st_size == kept.size_bytes):
        content = read_kept(folder, digest, kept)
        path.parent.mkdir(parents=True, exist_ok=True)
        # not flushed to disk: should it get lost, it is laid out again
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    return path


class PackWriter:
    """The pack of one import. Raises LibraryError where the disk is full or closed to us."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made in the corpus's `folder` before there is something to keep."""
        self._folder = folder
        self._open_until = ExitStack()
        self._file: BinaryIO | None = None
        self._size = 0
        self._hash = hashlib.sha256()
        self._new_path: Path | None = None

    def add(self, digest: str, content: bytes) -> tuple[int, int]:
        """Keep bytes under their SHA-256; returns where they begin and how many they are."""
        try:
            if self._file is None:
                fresh = self._open_until.enter_context(temporary_folder(self._folder, PACKS))
                self._file = self._open_until.enter_context((fresh / "pack").open("w+b"))
            self._file.write(content)
        except OSError as error:
            raise self._not_saved(error) from error
        self._hash.update(digest.encode())
        offset, self._size = self._size, self._size + len(content)
        return offset, len(content)

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """What was added a while ago."""
        try:
            self._file.seek(offset_bytes)
            content = self._file.read(size_bytes)
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._not_saved(error) from error
        return content

    def finish(self) -> str:
        """Put the pack in its place and tell its name; '' where nothing was added."""
        if self._file is None:
            return ""
        name = self._hash.hexdigest()
        path = self._folder / PACKS / f"{name}{_ENDING}"
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            path.parent.mkdir(exist_ok=True)
            if not path.exists():  # an earlier version of the index may have had the same
                self._new_path = path
            Path(self._file.name).replace(path)
        except OSError as error:
            raise self._not_saved(error) from error
        return name

    def undo(self) -> None:
        """Remove what was written."""
        if self._new_path:
            self._new_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove what was not finished."""
        with suppress(OSError):  # what could not be written then cannot be now
            self._open_until.close()

    def _not_saved(self, error: OSError) -> LibraryError:
        return LibraryError(
            f"The corpus could not be saved in {self._folder.parent}: {error.strerror}. "
            "Free some space and import again; nothing was changed."
        )
