"""A corpus or a run as one file at an address that fsspec knows, and back.

Digital DJ works on a folder of a disk: runs and imports are made whole by renaming, runs are
locked, and an index is mapped into memory; object stores know none of the three. What they keep
well is one file that is there or is not. So that is what is sent: a zip of the folder, whose first
entry says what it is.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dj_core.errors import LibraryError
from dj_core.storage import temporary_folder

ABOUT_NAME = "digital-dj.json"
LEFT_HERE = frozenset({"lock", "stop"})  # of a run: they speak of processes of this machine


def send(folder: Path, kind: str, address: str) -> int:
    """Write what is in `folder` to `address`, completely or not at all; returns the files sent.

    Args:
        folder: of a corpus or a run; its name is what it is called where it is fetched.
        kind: 'corpus' or 'run'.
        address: of a file that is not there yet, as in s3://bucket/mine.zip.

    Raises:
        LibraryError: something is at the address already, or it cannot be written.
    """
    names = sorted(_sent(folder))
    about = {"kind": kind, "name": folder.name, "files": len(names)}
    with _writing(address) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT_NAME, json.dumps(about))
        for name in names:
            archive.write(folder / name, name)
    return len(names)


def fetch(address: str, places: Mapping[str, Path]) -> Path:
    """Bring back what `send` wrote to `address`; returns its folder.

    Args:
        address: where it is.
        places: by kind, the folder in which it gets one of its own, under the name it had.

    Raises:
        LibraryError: nothing there that was sent, a name that is taken, or a disk that cannot be
            written.
    """
    with _reading(address) as archive:
        kind, name, count = _about(archive, address)
        if kind not in places:
            raise LibraryError(
                f"{address} holds a {kind}, which cannot be fetched here; it can be one of: "
                f"{', '.join(places)}."
            )
        folder = places[kind] / name
        if folder.exists():
            raise LibraryError(
                f"There already is a {kind} called {name!r} here. Rename or delete it first."
            )
        with temporary_folder(places[kind], name) as fresh:
            files = [entry for entry in archive.infolist() if entry.filename != ABOUT_NAME]
            if len(files) != count or not all(_stays_inside(each.filename) for each in files):
                raise LibraryError(f"{address} is damaged: its files are not those it names.")
            for entry in files:
                archive.extract(entry, fresh)
            fresh.chmod(0o755)  # temporary folders are their owner's only
            fresh.rename(folder)
    return folder


def _sent(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)  # half written by somebody
        if path.is_file() and not hidden and name.as_posix() not in LEFT_HERE:
            yield name.as_posix()


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name)


def _about(archive: zipfile.ZipFile, address: str) -> tuple[str, str, int]:
    """Kind, name and number of files of what was sent."""
    try:
        about = json.loads(archive.read(ABOUT_NAME))
        kind, name, count = about["kind"], about["name"], about["files"]
        if not (isinstance(kind, str) and isinstance(name, str) and isinstance(count, int)):
            raise TypeError("of another form")
        if PurePosixPath(name).name != name or not _stays_inside(name) or name.startswith("."):
            raise ValueError(f"{name!r} is no name")
    except (KeyError, TypeError, ValueError) as error:
        raise LibraryError(
            f"{address} was not sent by Digital DJ ({error}). Give the address of a corpus or run "
            "that was."
        ) from error
    return kind, name, count


@contextlib.contextmanager
def _writing(address: str) -> Iterator[BinaryIO]:
    """A file at `address` that is there once the block ends well. Raises LibraryError."""
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
        if system.exists(path):
            raise LibraryError(f"There already is something at {address}. Choose another address.")
        with system.transaction, system.open(path, "wb") as file:
            yield file
    except (OSError, ValueError, ImportError) as error:
        raise LibraryError(
            f"{address} cannot be written: {error}. Check the address, and that the package of "
            "that file system is installed (s3fs, gcsfs, ...)."
        ) from error


@contextlib.contextmanager
def _reading(address: str) -> Iterator[zipfile.ZipFile]:
    """The zip at `address`; problems with it or the disk are LibraryErrors."""
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address)
        with system.open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            yield archive
    except (OSError, ValueError, ImportError, zipfile.BadZipFile, shutil.Error) as error:
        raise LibraryError(f"{address} cannot be fetched: {error}.") from error
