"""Where a corpus keeps its MIDI files: all that one import brought in one file, end to end.

A file each costs a file system more than reading, checking and grouping it, and a block of 4 KB for
400 bytes. A pack is called by a hash of what is in it. It is written in a folder of its own and
moved to its place when it is whole, before the index that tells what lies where in it. `Contents`
knows what a corpus has already, so that twins are kept once.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from bisect import bisect_left
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

import numpy as np

from dj_core.scratch import Scratch, write_whole

PACKS = "files"
_ENDING = ".pack"
_CONTENTS_NEAR = 8_192  # in memory, before they are put away
_RECORD = Struct("<32sqii")  # hash, offset, size, number of the pack
_PREFIX_DIGITS = 16  # of a hash: 8 bytes

Place = tuple[str | None, int, int]
"""A pack (None: that of the import under way), offset and size, as in `Kept`."""


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

    def __init__(self, folder: Path, scratch: Scratch) -> None:
        """Nothing is made in the corpus's `folder` before there is something to keep."""
        self._folder = folder
        self._scratch = scratch
        self._file: BinaryIO | None = None
        self._size = 0
        self._hash = hashlib.sha256()
        self._new_path: Path | None = None

    def add(self, digest: str, content: bytes) -> tuple[int, int]:
        """Keep bytes under their SHA-256; returns where they begin and how many they are."""
        if self._file is None:
            self._file = self._scratch.file("pack")
        try:
            self._file.write(content)
        except OSError as error:
            raise self._scratch.not_saved(error) from error
        self._hash.update(digest.encode())
        offset, self._size = self._size, self._size + len(content)
        return offset, len(content)

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """What was added a while ago."""
        with self._scratch.saving():
            self._file.seek(offset_bytes)
            content = self._file.read(size_bytes)
            self._file.seek(0, os.SEEK_END)
        return content

    def finish(self) -> str:
        """Put the pack in its place and tell its name; '' where nothing was added."""
        if self._file is None:
            return ""
        name = self._hash.hexdigest()
        path = self._folder / PACKS / f"{name}{_ENDING}"
        with self._scratch.saving():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            path.parent.mkdir(exist_ok=True)
            if not path.exists():  # an earlier version of the index may have had the same
                self._new_path = path
            Path(self._file.name).replace(path)
        return name

    def undo(self) -> None:
        """Remove what was put in its place."""
        if self._new_path:
            self._new_path.unlink(missing_ok=True)


class Contents:
    """Which contents a corpus has, and where: twelve bytes of memory for each.

    The beginnings of their hashes are in memory, in ascending order, and where they lie in a file:
    beginnings may be alike by somebody's will, so that whole hashes are compared.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._near: dict[str, Place] = {}
        self._prefixes = array("Q")
        self._records = array("I")
        self._file: BinaryIO | None = None
        self._packs: dict[str | None, int] = {}

    def find(self, digest: str) -> Place | None:
        """Where the bytes of this SHA-256 are."""
        place = self._near.get(digest)
        if place or not self._prefixes:
            return place
        prefix = int(digest[:_PREFIX_DIGITS], 16)
        at = bisect_left(self._prefixes, prefix)
        while at < len(self._prefixes) and self._prefixes[at] == prefix:
            with self._scratch.saving():
                self._file.seek(self._records[at] * _RECORD.size)
                whole, offset, size, pack = _RECORD.unpack(self._file.read(_RECORD.size))
            if whole.hex() == digest:
                return list(self._packs)[pack], offset, size
            at += 1
        return None

    def add(self, digest: str, place: Place) -> None:
        """Take note of bytes that were not there."""
        self._near[digest] = place
        if len(self._near) >= _CONTENTS_NEAR:
            self._put_away()

    def _put_away(self) -> None:
        if self._file is None:
            self._file = self._scratch.file("contents", buffering=0)
        packs = self._packs
        written = b"".join(
            _RECORD.pack(bytes.fromhex(digest), offset, size, packs.setdefault(pack, len(packs)))
            for digest, (pack, offset, size) in self._near.items()
        )
        with self._scratch.saving():
            self._file.seek(0, os.SEEK_END)
            write_whole(self._file, written)
        prefixes = np.frombuffer(written, np.uint8).reshape(-1, _RECORD.size)[:, :8]
        new = np.ascontiguousarray(prefixes).view(">u8").ravel().astype(np.uint64)
        order = np.argsort(new)
        old = np.array(self._prefixes, np.uint64)
        at = np.searchsorted(old, new[order])
        records = np.arange(len(old), len(old) + len(new), dtype=np.uint32)[order]
        self._records = array("I", np.insert(np.array(self._records), at, records).tobytes())
        self._prefixes = array("Q", np.insert(old, at, new[order]).tobytes())
        self._near.clear()
