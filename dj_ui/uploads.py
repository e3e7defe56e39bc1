"""Limits for uploads: the bytes that one visitor and all visitors together may have on the server.

Streamlit keeps an uploaded file in memory until the session ends, without any check. Here a file is
accepted only for an existing session of an admitted visitor, and while there is room: a limit for
each visitor, over all tabs, and one for all visitors. A file counts while it arrives and while it
is kept.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dj_core.host.limits import LIMITS
from dj_core.host.read_only import read_only
from dj_ui.turns import say_to
from dj_ui.visiting import is_allowed, visitor_of, wants_sign_in

BYTES_OF_A_FILE = 2_000  # what even an empty one costs
_BYTES_AT_A_TIME = 100_000  # set aside at once for a file that does not say how long it is
_SECONDS_SAID = 12  # how long a refusal stays on the page
SECONDS_OF_SILENCE = 15.0  # an upload that sends nothing for so long is over
_ADDRESS = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)$")


class RefusedError(Exception):
    """A file that is not let in: the words for its visitor, and HTTP's number for it."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


@dataclass
class _Coming:
    """A file on its way in, and the bytes that are set aside for it."""

    visitor: str
    size: int


class Uploads:
    """ASGI middleware before Streamlit's own place for files."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._coming: list[_Coming] = []
        self._kept: dict[tuple[str, str], tuple[str, float]] = {}
        """Of every file kept, by session and id: its visitor, and when it came."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; after a page has closed, let go of its files."""
        if scope["type"] == "websocket":
            try:
                await self.app(scope, receive, send)
            finally:
                self._forget_closed()
            return
        asked = _ADDRESS.search(scope["path"]) if scope["type"] == "http" else None
        if asked is None or scope["method"] != "PUT":
            await self.app(scope, receive, send)
            return
        try:
            await self._let_in(*asked.groups(), scope, receive, send)
        except RefusedError as error:
            say_to(asked[1], str(error), _SECONDS_SAID)
            headers = {"connection": "close"} if error.status == 408 else {}
            answer = PlainTextResponse(str(error), error.status, headers)
            await answer(scope, receive, send)

    async def _let_in(
        self, session_id: str, file_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Pass a file on to Streamlit while there is room for it. Raises RefusedError."""
        visitor = _visitor(session_id, scope)
        declared = Headers(scope=scope).get("content-length", "")
        coming = _Coming(visitor, 0)
        self._make_room(coming, int(declared) if declared.isdecimal() else 0)
        end = time.monotonic() + LIMITS.upload_seconds
        refused: list[RefusedError] = []
        arrived = 0

        async def receive_in_time() -> Message:
            nonlocal arrived
            seconds = min(SECONDS_OF_SILENCE, end - time.monotonic())
            try:
                message = await asyncio.wait_for(receive(), max(0.0, seconds))
                arrived += len(message.get("body", b""))
                if arrived > coming.size - BYTES_OF_A_FILE:
                    self._make_room(coming, arrived + _BYTES_AT_A_TIME)
            except TimeoutError:
                refused.append(RefusedError("The file came too slowly. Add it again.", 408))
            except RefusedError as error:
                refused.append(error)
            if refused:
                raise refused[0]
            return message

        self._coming.append(coming)
        try:
            await self.app(scope, receive_in_time, send)
            self._kept[session_id, file_id] = visitor, time.monotonic()
        finally:
            self._coming.remove(coming)
            self._forget_closed()

    def _make_room(self, coming: _Coming, size: int) -> None:
        """Set aside `size` bytes for a file. Raises RefusedError where there is no room for them.

        What was added some minutes ago has been read by now, and makes room.
        """
        more = BYTES_OF_A_FILE + size - coming.size
        if more <= 0:
            return
        for visitor, room, words in (
            (coming.visitor, LIMITS.upload_bytes, "Your files"),
            (None, LIMITS.uploads_bytes, "The files that visitors are adding now"),
        ):
            if self._bytes_of(visitor) + more > room:
                self._forget_old(visitor)
            if self._bytes_of(visitor) + more > room:
                raise RefusedError(
                    f"{words} are over {room // 1_000_000} MB together. Add fewer at once, or come "
                    "again in a few minutes.",
                    413,
                )
        coming.size += more

    def _bytes_of(self, visitor: str | None) -> int:
        """Bytes kept and on their way, of one visitor or of all."""
        kept = sum(
            BYTES_OF_A_FILE + len(file.data)
            for session_id, files in list(_store().file_storage.items())
            for file_id, file in list(files.items())
            if visitor is None or self._kept.get((session_id, file_id), ("", 0))[0] == visitor
        )
        return kept + sum(one.size for one in self._coming if visitor in (None, one.visitor))

    def _forget_old(self, visitor: str | None) -> None:
        for (session_id, file_id), (whose, came) in list(self._kept.items()):
            if visitor in (None, whose) and time.monotonic() - came > LIMITS.upload_seconds:
                _store().remove_file(session_id, file_id)
                del self._kept[session_id, file_id]

    def _forget_closed(self) -> None:
        """Let go of the files of sessions whose page is closed."""
        if not runtime.exists():
            return
        here = runtime.get_instance()
        for session_id in list(_store().file_storage):
            if not here.is_active_session(session_id):
                _store().remove_session_files(session_id)
        there = _store().file_storage
        self._kept = {one: facts for one, facts in self._kept.items() if one[0] in there}


def forget_uploads() -> None:
    """Let go of the files of the visitor whose page this is: they have been read."""
    visitor = get_script_run_ctx(suppress_warning=True)
    if visitor is not None:
        visitor.uploaded_file_mgr.remove_session_files(visitor.session_id)


def _visitor(session_id: str, scope: Scope) -> str:
    """Whose session it is. Raises RefusedError for one that may add nothing."""
    session = runtime.get_instance().get_app_session(session_id)
    if session is None:
        raise RefusedError("This page has lost its server. Load it again, then add the file.", 400)
    user = dict(session._user_info)  # Streamlit 1.67 tells it to a page's own script only
    if wants_sign_in() and not (user.get("is_logged_in") and is_allowed(user)):
        raise RefusedError("Sign in first, then add the file.", 403)
    if read_only():
        raise RefusedError("This Digital DJ is read only: nothing can be added to it.", 403)
    client = scope.get("client")
    return visitor_of(user, client[0] if client else None)


def _store() -> MemoryUploadedFileManager:
    return runtime.get_instance().uploaded_file_mgr
