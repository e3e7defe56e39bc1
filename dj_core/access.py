"""Whether what is kept here may be changed.

`DIGITAL_DJ_READ_ONLY=1` lets everybody listen, generate and take files away, while corpora, the
crate, sets and models stay as the host made them. What changes them asks here first, wherever the
wish comes from: a page, the command line or a program.
"""

from __future__ import annotations

import os

from dj_core.errors import LibraryError

VARIABLE = "DIGITAL_DJ_READ_ONLY"
OFF = ("", "0", "false", "no", "off")


def read_only() -> bool:
    """The host has switched changes off."""
    return os.environ.get(VARIABLE, "").strip().lower() not in OFF


def check_may_change(what: str) -> None:
    """Refuse a change of `what`, such as 'the crate', in read-only mode. Raises LibraryError."""
    if read_only():
        raise LibraryError(
            f"This Digital DJ is read only: its host keeps {what} as it is. Listen, generate and "
            "take files away as you like."
        )
