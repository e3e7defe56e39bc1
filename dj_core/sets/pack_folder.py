"""Checks the absolute folder of a pack, which rekordbox's addresses need."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

from dj_core.errors import SetError
from dj_core.sets.rekordbox import NOWHERE


def pack_folder(text: str) -> PurePosixPath | PureWindowsPath:
    """The folder a DJ types, of whatever system; `NOWHERE` for ''.

    Raises:
        SetError: not an absolute path of a Mac, Linux or Windows.
    """
    text = text.strip()
    if not text:
        return NOWHERE
    if re.match(r"[A-Za-z]:[\\/]", text):
        return PureWindowsPath(text)
    if text.startswith("/"):
        return PurePosixPath(text)
    raise SetError(
        f"A folder is given in full, as in /Users/you/Music or C:\\Users\\you\\Music; got {text!r}."
    )
