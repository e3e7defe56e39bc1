"""Downloads that are made on the click and kept until they are fetched."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest
from streamlit.proto.ForwardMsg_pb2 import (
    BackendOperationResponse,
    DeferredFileResponsePayload,
)
from streamlit.runtime.backend_operation_handler import DeferredFileHandler
from streamlit.runtime.media_file_storage import MediaFileStorageError
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import (
    SCRIPT_RUN_CONTEXT_ATTR_NAME,
    ScriptRunContext,
)

from dj_core.errors import DigitalDJError
from dj_ui.words import without_places

_LOG = logging.getLogger(__name__)


class SayingHandler(DeferredFileHandler):
    """Makes the file of a button that was pressed; where that fails, the button says why.

    Streamlit 1.67 says "Failed to generate file for download", whatever the matter is.
    """

    async def handle(
        self, request: BackendOperationRequest, session_id: str
    ) -> BackendOperationResponse:
        """Answer the browser with the file's address, or with what is wrong and what to do."""
        try:
            make = self._get_media_file_mgr().execute_deferred
            url = await asyncio.to_thread(make, request.deferred_file.file_id)
        except MediaFileStorageError as error:
            cause = error.__cause__
            if not isinstance(cause, DigitalDJError):
                _LOG.exception("a download could not be made")
                words = "This file could not be made. Reload the page and try again."
            else:
                words = without_places(str(cause))
            return BackendOperationResponse(request_id=request.request_id, error_msg=words)
        return BackendOperationResponse(
            request_id=request.request_id, deferred_file=DeferredFileResponsePayload(url=url)
        )


def _say_what_fails(visitor: ScriptRunContext | None) -> None:
    """Have the downloads of a visitor's session say what is the matter."""
    session = (
        runtime.exists() and visitor and runtime.get_instance().get_app_session(visitor.session_id)
    )
    if session:
        handler = SayingHandler(lambda: runtime.get_instance().media_file_mgr)
        session._backend_operation_dispatcher.register("deferred_file", handler)


class LastFiles:
    """The files that were asked for last, so that the same one is not made twice."""

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes`: what is kept of all files together."""
        self._most, self._bytes = most_bytes, 0
        self._files: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: Hashable) -> bytes | None:
        """The file that was made for this; None where it is not kept."""
        with self._lock:
            if asked in self._files:
                self._files.move_to_end(asked)
            return self._files.get(asked)

    def keep(self, asked: Hashable, file: bytes) -> None:
        """Keep a file, and no longer those that nobody asked for the longest."""
        with self._lock:
            self._bytes += len(file) - len(self._files.pop(asked, b""))
            self._files[asked] = file
            while self._bytes > self._most:
                self._bytes -= len(self._files.popitem(last=False)[1])


def download_button(
    label: str,
    content: Callable[[], bytes | str],
    name: str,
    mime: str,
    key: str,
    help_: str | None = None,
    disabled: bool = False,
) -> None:
    """A button that makes its file when it is pressed; the page does not run for it."""
    st.download_button(
        label, _held_for_visitor(content, name, mime, key), name, mime, key=key,
        on_click="ignore", help=help_, disabled=disabled,
    )  # fmt: skip


def _held_for_visitor(
    content: Callable[[], bytes | str], name: str, mime: str, key: str
) -> Callable[[], bytes]:
    """`content`, whose answer is kept for the visitor until the page runs for them again.

    Streamlit 1.67 files what a button made under no visitor. The second page run of anybody else
    then clears it away, and with many at once that is before the browser has come for it.
    """
    visitor = get_script_run_ctx()
    _say_what_fails(visitor)

    def make() -> bytes:
        with as_visitor(visitor):  # whoever makes it can tell them how far it is
            made = content()
            data = made.encode() if isinstance(made, str) else made
            if runtime.exists():
                runtime.get_instance().media_file_mgr.add(
                    data, mime, f"made by {key}", file_name=name, is_for_static_download=True
                )
        return data

    return make


@contextmanager
def as_visitor(visitor: Any) -> Iterator[None]:  # noqa: ANN401 - Streamlit's ScriptRunContext
    """This thread works for a visitor, as far as Streamlit can tell."""
    thread = threading.current_thread()
    before = getattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, None)
    setattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, visitor)
    try:
        yield
    finally:
        setattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, before)
