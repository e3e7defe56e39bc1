"""Writing files so that a crash, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dj_core.errors import LibraryError


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
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp makes files only their owner can read
        temporary.replace(path)
        done = True
        _flush_folder(path.parent)
    except OSError as error:
        raise LibraryError(
            f"{path.name} could not be saved in {path.parent}: {error.strerror}. "
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


def _flush_folder(folder: Path) -> None:
    """Make a rename durable; platforms that cannot open a folder keep their own promise."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
