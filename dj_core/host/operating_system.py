"""What Linux, macOS and Windows do differently: locks, renames and processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCKED_BYTE = 2**31 - 2  # Windows locks bytes; this one may lie beyond the end of a file
_SECONDS_BETWEEN_TRIES = 0.05
_MOST_TRIES = 40  # to rename over a file that somebody reads, on Windows


def lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed; the system frees it when its process ends.

    Args:
        descriptor: of the file. Who opens the file anew has to lock it anew.
        wait: until nobody else holds it.

    Returns whether it is locked. Raises OSError where the file system has no locks.
    """
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
    import msvcrt

    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        while True:
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except PermissionError:
                if not wait:
                    return False
                time.sleep(_SECONDS_BETWEEN_TRIES)
            else:
                return True
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)


def rename_over(path: Path, target: Path) -> None:
    """Rename a file over another. Raises OSError.

    Windows refuses that while somebody has the other one open; readers of ours are soon done.
    """
    for _ in range(_MOST_TRIES if sys.platform == "win32" else 0):
        try:
            path.replace(target)
        except PermissionError:
            time.sleep(_SECONDS_BETWEEN_TRIES)
        else:
            return
    path.replace(target)


def make_durable(folder: Path) -> None:
    """Bring what was renamed in a folder to the disk; Windows opens no folders and needs none."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def own_session() -> dict[str, Any]:
    """Arguments of `Popen` for a process that goes on when the window it came from is closed."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
        return {"creationflags": flags}
    return {"start_new_session": True}


def is_alive(process: int) -> bool:
    """There is a process of this number. Raises OverflowError for what is none."""
    import psutil

    return bool(psutil.pid_exists(process))


def write_everything(*streams: TextIO) -> None:
    """Let standard streams take every character of ours, also where they go into a file.

    Windows would write such a file in the code page of its region, in which most names fail.
    """
    for stream in streams:
        if not stream.isatty() and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
