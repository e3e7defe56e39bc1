"""Browser sessions: a signed cookie says which takes belong to which browser.

The document sets the cookie (`session_cookie`), and the page's connection sends it back. It holds
128 random bits and a signature made with a key in the DJ's folder, so that a session's id cannot be
chosen, guessed or passed on in a link. All tabs of one browser are one session.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import hmac
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path

import streamlit as st
from starlette.requests import HTTPConnection
from starlette.types import Scope

from dj_core.errors import LibraryError
from dj_core.files.storage import one_at_a_time
from dj_core.host.read_only import read_only
from dj_core.library.library import Library
from dj_core.library.take_history import SESSIONS, new_session_id

KEY_NAME = "key"  # in the folder of sessions
_KEY = re.compile(r"[0-9a-f]{64}")
_DAYS = 400  # as long as browsers keep a cookie; each visit begins them anew


def session_cookie(scope: Scope) -> tuple[bytes, bytes]:
    """The header that gives a document's visitor their session, or leaves them the one they have.

    Scripts cannot read it, and no other site's form or frame can send it.
    """
    known = _session_of(HTTPConnection(scope).cookies.get(_cookie_name(), ""))
    parts = [
        f"{_cookie_name()}={_signed(known or new_session_id())}",
        f"Path=/; Max-Age={_DAYS * 86_400}; HttpOnly; SameSite=Lax",
        *(["Secure"] if scope.get("scheme") == "https" else []),
    ]
    return b"set-cookie", "; ".join(parts).encode()


def visitors_session() -> str | None:
    """The id of the session of whoever looks at this page; None where their browser has none."""
    value = st.context.cookies.get(_cookie_name())
    return _session_of(value) if isinstance(value, str) else None


def sessions_home() -> Path:
    """The folder that holds the folder of sessions: the DJ's own.

    In read-only mode nothing in that is written: sessions last as long as the server, in a
    temporary folder of its own.
    """
    return _servers_folder() if read_only() else Library.open().home


@functools.lru_cache(maxsize=1)
def _servers_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="digital-dj-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _cookie_name() -> str:
    """By port: a browser sends all of a machine's cookies to each of its ports."""
    return f"digital_dj_{st.get_option('server.port')}"


def _signed(session: str) -> str:
    key = _key(sessions_home() / SESSIONS / KEY_NAME)
    return f"{session}.{hmac.new(key, session.encode(), hashlib.sha256).hexdigest()}"


def _session_of(value: str) -> str | None:
    """The id in a cookie that we signed."""
    session = value.partition(".")[0]
    ours = value.isascii() and hmac.compare_digest(value, _signed(session))
    return session if ours else None


@functools.lru_cache(maxsize=8)
def _key(path: Path) -> bytes:
    """The key that signs; made once, for its owner's eyes only.

    Where nothing can be written it lasts as long as the server.
    """
    try:
        with one_at_a_time(path.with_name(".key.lock")):  # servers may start together
            try:
                text = path.read_text("ascii")
            except (FileNotFoundError, ValueError):
                text = ""
            if not _KEY.fullmatch(text):  # none yet, or half of one
                text = secrets.token_hex(32)
                path.unlink(missing_ok=True)
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w") as file:
                    file.write(text)
    except (OSError, LibraryError):
        text = secrets.token_hex(32)
    return bytes.fromhex(text)
