"""Writing files so that a crash, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from dj_core.errors import LibraryError


def write_bytes_atomic(path: Path, content: bytes) -> Path:
    """Write `content` to `path` completely or not at all.

    A temporary file beside it is written, flushed to disk and renamed over `path`.

    Raises:
        LibraryError: no space, no permission, or a parent that cannot be made.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp makes files only their owner can read
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise LibraryError(
            f"{path.name} could not be saved in {path.parent}: {error.strerror}. "
            "Free some space or choose another folder; nothing was changed."
        ) from error
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
