"""Writing files so that a crash, a full disk or a second process never leaves half of one."""

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

from dj_core.errors import LibraryError

SECONDS_TO_CLAIM = 60.0  # between making a temporary file and locking it; usually microseconds
_TEMPORARY = re.compile(r"\..+[.-][a-z0-9_]{8}")  # as `tempfile` names what we ask it for


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` when it is whole; for what is long.

    A temporary file beside `path` is written, flushed to disk and renamed over it when the block
    ends; when the block fails, the temporary file is removed and `path` is as it was.

    Raises:
        LibraryError: no space, no permission, or a parent that cannot be made.
    """
    temporary: Path | None = None
    done = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "w+b") as file:
            _claim(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp makes files only their owner can read
        temporary.replace(path)
        done = True
        _flush_folder(path.parent)
    except OSError as error:
        raise LibraryError(
            f"{path.name} could not be saved in {path.parent}: {error.strerror or error}. "
            "Free some space or choose another folder; nothing was changed."
        ) from error
    finally:
        if temporary is not None and not done:
            temporary.unlink(missing_ok=True)


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
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock file while something is read, changed and written; others wait for it.

    Raises LibraryError where the file cannot be made.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("wb")
    except OSError as error:
        raise LibraryError(
            f"Nothing can be saved in {lock.parent}: {error.strerror}. Free some space, or set "
            "DIGITAL_DJ_HOME to a folder you own."
        ) from error
    with file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder in `parent` to build something in that takes another's place when it is whole.

    What is in it is removed at the end, unless it was moved away. Raises OSError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
    descriptor = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
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

    What a living process is writing is locked by it and stays; so does what is younger than a
    minute, which may not be locked yet.
    """
    removed = 0
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


def _claim(descriptor: int) -> None:
    """Lock what is being written; the system frees it when the process ends, however it ends."""
    if os.name != "posix":
        return
    import fcntl

    with contextlib.suppress(OSError):  # a file system without locks keeps its leftovers
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_abandoned(path: Path) -> bool:
    """Old enough to have been locked, and locked by nobody."""
    if os.name != "posix":
        return False
    import fcntl

    try:
        if path.is_symlink() or time.time() - path.stat().st_mtime < SECONDS_TO_CLAIM:
            return False
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    """Make a rename durable; platforms that cannot open a folder keep their own promise."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
