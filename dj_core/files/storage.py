"""Atomic writes: a crash, a full disk or a second process never leaves half a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dj_core.errors import OTHER_HOME, not_saved
from dj_core.host.operating_system import lock, make_durable, rename_over

TEMPORARY_PREFIX = ".digital-dj-tmp-"  # nobody else names a file so
SECONDS_TO_ABANDON = 3_600.0  # a temporary file that nobody has touched for so long may be removed
SECONDS_TO_ABANDON_UNLOCKED = 86_400.0  # likewise a folder on Windows, which cannot be locked
_TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + "[a-z0-9_]{8}")  # the rest is `tempfile`'s


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` when it is whole; for what is long.

    A temporary file beside `path` is written, flushed to disk and renamed over it when the block
    ends; when the block fails, the temporary file is removed and `path` is as it was. Raises
    LibraryError for want of space or permission, or for a parent that cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX)
        try:
            with os.fdopen(handle, "w+b") as file:
                _claim(file.fileno())
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp makes files only their owner can read
            rename_over(Path(name), path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        make_durable(path.parent)
    except OSError as error:
        raise not_saved(f"{path.name} could not be saved in {path.parent}", error) from error


def write_bytes_atomic(path: Path, content: bytes) -> Path:
    """Write `content` to `path` completely or not at all. Raises LibraryError."""
    with atomic_file(path) as file:
        file.write(content)
    return path


def write_json_atomic(path: Path, content: Any) -> Path:  # noqa: ANN401 - any JSON value
    """Write `content` as readable JSON, completely or not at all. Raises LibraryError."""
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return write_bytes_atomic(path, (text + "\n").encode())


def sha256_of(content: bytes) -> str:
    """The SHA-256 of `content` as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock file while something is read, changed and written; others wait for it.

    Raises LibraryError where the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")  # should somebody else's file be there, it stays as it is
    except OSError as error:
        raise not_saved(f"Nothing can be saved in {path.parent}", error, OTHER_HOME) from error
    with file:
        lock(file.fileno(), wait=True)
        yield


@contextlib.contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder in `parent` to build something in that takes its place when it is whole.

    What is in it is removed at the end, unless it was moved away. Raises OSError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=parent))
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        descriptor = None
    try:
        if descriptor is not None:
            _claim(descriptor)
        yield folder
    finally:
        if descriptor is not None:
            os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path) -> int:
    """Remove what killed processes left half written below `folder`; returns how many there were.

    Only what carries our own prefix, is older than an hour and is locked by nobody: what a living
    process is writing is locked by it. Folders on Windows have no locks
    and stay for a day. Links are not followed.
    """
    removed = 0
    if folder.is_symlink():
        return removed
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place) / name
            if _TEMPORARY.fullmatch(name) and _is_abandoned(path):
                if path.is_dir():
                    folders.remove(name)
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                removed += 1
    return removed


def others_files(folder: Path, own: re.Pattern[str]) -> list[str]:
    """What lies below `folder` that is not ours, by its place in it; our half-written files are.

    Args:
        folder: need not be there.
        own: matches the whole place of each file that we make in such a folder, with / between.
    """
    return [name for name in _files_below(folder) if not _is_own(folder, name, own)]


def remove_own_files(folder: Path, own: re.Pattern[str]) -> bool:
    """Remove the files that we made below `folder`, and the folders that are empty then.

    Files beside its folders go first. What anybody else put there stays, and links are not
    followed.

    Args:
        folder, own: as for `others_files`.

    Returns whether the folder is gone. Raises OSError.
    """
    emptied = {folder}
    for name in sorted(_files_below(folder), key=lambda name: (name.count("/"), name)):
        if _is_own(folder, name, own):
            path = folder / name
            path.unlink(missing_ok=True)
            emptied |= {parent for parent in path.parents if folder in parent.parents}
    for place in sorted(emptied, key=lambda place: -len(place.parts)):
        with contextlib.suppress(OSError):  # not empty: something of somebody else's is there
            place.rmdir()
    return not folder.exists()


def _files_below(folder: Path) -> Iterator[str]:
    """The place of every file and link below a folder."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in [*files, *links]:
            yield (Path(place) / name).relative_to(folder).as_posix()


def _is_own(folder: Path, name: str, own: re.Pattern[str]) -> bool:
    half_written = any(_TEMPORARY.fullmatch(part) for part in name.split("/"))
    return (half_written or own.fullmatch(name) is not None) and not (folder / name).is_symlink()


def _claim(descriptor: int) -> None:
    """Lock what is being written; the system frees it when the process ends, however it ends."""
    with contextlib.suppress(OSError):  # a file system without locks keeps its leftovers
        lock(descriptor, wait=False)


def _is_abandoned(path: Path) -> bool:
    """Old enough to have been locked, and locked by nobody."""
    try:
        untouched_seconds = time.time() - path.stat().st_mtime
        if path.is_symlink() or untouched_seconds < SECONDS_TO_ABANDON:
            return False
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except PermissionError:
            return path.is_dir() and untouched_seconds > SECONDS_TO_ABANDON_UNLOCKED
        try:
            return lock(descriptor, wait=False)
        finally:
            os.close(descriptor)
    except OSError:
        return False
