"""Sends a corpus or run as one zip to an fsspec address, and fetches it back.

Digital DJ works on a folder of a disk: runs and imports are made whole by renaming, runs are
locked, and an index is mapped into memory; object stores know none of the three. What they keep
well is one file that is there or is not. So that is what is sent: a zip of the folder, whose first
entry says what it is.
"""

from __future__ import annotations

import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from dj_core.errors import LibraryError
from dj_core.files.records import json_of
from dj_core.files.storage import temporary_folder
from dj_core.host.limits import LIMITS

ABOUT_NAME = "digital-dj.json"
_ENCRYPTED = 0x1
_MOST_GROWTH = 100  # how much longer than packed a file may be: MIDI, text and weights take 20
_BYTES_AT_A_TIME = 1_000_000
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")  # of a file's place: all ours are so
_DAMAGED = (
    OSError, ValueError, ImportError, EOFError, RuntimeError, NotImplementedError, zlib.error,
    lzma.LZMAError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
LEFT_HERE = frozenset({"lock", "stop"})  # of a run: they speak of processes of this machine


def send(folder: Path, kind: str, address: str) -> int:
    """Write what is in `folder` to `address`, completely or not at all; returns the files sent.

    Args:
        folder: of a corpus or a run; its name is what it is called where it is fetched.
        kind: 'corpus' or 'run'.
        address: of a file that is not there yet, as in s3://bucket/mine.zip.

    Raises LibraryError where something is at the address already, or it cannot be written.
    """
    import fsspec

    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    names = sorted(
        path.as_posix()
        for path in paths  # what is hidden is half written by somebody
        if path.as_posix() not in LEFT_HERE and not any(part[0] == "." for part in path.parts)
    )
    about = {"kind": kind, "name": folder.name, "files": len(names)}
    try:
        system, path = fsspec.core.url_to_fs(address)
        if system.exists(path):
            raise LibraryError(f"There already is something at {address}. Choose another address.")
        with (
            system.transaction,
            system.open(path, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            archive.writestr(ABOUT_NAME, json.dumps(about))
            for name in names:
                archive.write(folder / name, name)
    except (OSError, ValueError, ImportError) as error:
        raise LibraryError(
            f"{address} cannot be written: {error}. Check the address, and that the package of "
            "that file system is installed (s3fs, gcsfs, ...)."
        ) from error
    return len(names)


def fetch(address: str, places: Mapping[str, Callable[[str], Path]]) -> Path:
    """Bring back what `send` wrote to `address`; returns its folder.

    Args:
        address: where it is.
        places: by kind, what gives the folder for a name and refuses one that cannot be used.

    Raises LibraryError where nothing is there that was sent, or a name is taken or cannot be used,
    or it is more than the limits allow, or the disk cannot be written.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
        with system.open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            kind, name, count = _about(archive, address)
            if kind not in places:
                raise LibraryError(
                    f"{address} holds a {kind}, which cannot be fetched here; it can be one of: "
                    f"{', '.join(places)}."
                )
            folder = places[kind](name)
            if folder.exists() or folder.is_symlink():
                raise LibraryError(
                    f"There already is a {kind} called {folder.name!r} here. Rename or delete it "
                    "first."
                )
            files = [entry for entry in archive.infolist() if entry.filename != ABOUT_NAME]
            names = {entry.filename for entry in files}
            ours = all(  # each below the folder, of plain characters, nothing hidden
                name.count("/") < LIMITS.folder_depth and all(map(_PART.fullmatch, name.split("/")))
                for name in names
            )
            if not len(names) == len(files) == count or not ours:
                raise LibraryError(f"{address} is damaged: its files are not those it names.")
            if count > LIMITS.fetch_entries:
                raise LibraryError(
                    f"{address} holds {count:,} files; {LIMITS.fetch_entries:,} are fetched at "
                    "most."
                )
            with temporary_folder(folder.parent) as fresh:
                room = LIMITS.fetch_bytes
                for entry in files:
                    room -= _unpack(archive, entry, fresh / entry.filename, room)
                fresh.chmod(0o755)  # temporary folders are their owner's only
                fresh.rename(folder)
    except _DAMAGED as error:
        raise LibraryError(f"{address} cannot be fetched: {error}.") from error
    return folder


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int) -> int:
    """Write one entry to `path`; returns its bytes, counted. Raises LibraryError beyond `room`.

    What a zip says of its sizes is believed in nothing: a small one that unpacks to far more than
    music and weights ever do is stopped on the way.
    """
    if entry.flag_bits & _ENCRYPTED:
        raise LibraryError(f"{entry.filename} is encrypted. Send it without a password.")
    most = min(room, _MOST_GROWTH * entry.compress_size + _BYTES_AT_A_TIME)
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with archive.open(entry) as packed, path.open("xb") as file:
        while piece := packed.read(_BYTES_AT_A_TIME):
            size += len(piece)
            if size > most:
                raise LibraryError(
                    f"{entry.filename} unpacks to more than is fetched from one address "
                    f"({LIMITS.fetch_bytes:,} bytes, and {_MOST_GROWTH} times what is packed)."
                )
            file.write(piece)
    return size


def _about(archive: zipfile.ZipFile, address: str) -> tuple[str, str, int]:
    """Kind, name and number of files of what was sent."""
    try:
        with archive.open(ABOUT_NAME) as file:
            about = json_of(file.read(_BYTES_AT_A_TIME))
        kind, name, count = about["kind"], about["name"], about["files"]
        if not (isinstance(kind, str) and isinstance(name, str) and isinstance(count, int)):
            raise TypeError("of another form")
    except (KeyError, TypeError, ValueError) as error:
        raise LibraryError(
            f"{address} was not sent by Digital DJ ({error}). Give the address of a corpus or run "
            "that was."
        ) from error
    return kind, name, count
