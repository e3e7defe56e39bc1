"""Files that a deck hands out: made when they are fetched, at addresses nobody can guess."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dj_core.errors import DigitalDJError
from dj_ui.downloads import as_visitor
from dj_ui.words import without_places

ADDRESS = "/hand-out"
OFFERS_KEPT = 2_048  # for all visitors together
_TOKENS = "dj_hand_out_tokens"
_lock = threading.Lock()


@dataclass(frozen=True)
class _Offer:
    """A file that is not made yet, and whom it is for."""

    name: str
    mime: str
    make: Callable[[], bytes]
    visitor: Any

    def content(self) -> bytes:
        with as_visitor(self.visitor):
            return self.make()


_offers: dict[str, _Offer] = {}


def hand_out(
    key: str, label: str, name: str, mime: str, make: Callable[[], bytes]
) -> dict[str, str]:
    """Offer a file to the visitor's browser, as the deck takes it (`along.js`).

    Args:
        key: whose file it is. Its address stays the same in a session, and has the latest file.
        label: what to call it in a word, such as 'MIDI'.
        name, mime: of the file.
        make: makes it, in a thread of the server; a DigitalDJError is told to who asked.
    """
    tokens: dict[str, str] = st.session_state.setdefault(_TOKENS, {})
    token = tokens.setdefault(f"{key} {label}", secrets.token_urlsafe(24))
    with _lock:
        _offers.pop(token, None)  # it is the latest now
        _offers[token] = _Offer(name, mime, make, get_script_run_ctx())
        while len(_offers) > OFFERS_KEPT:
            del _offers[next(iter(_offers))]
    address = f"{ADDRESS}/{token}/{quote(name)}"
    return {"label": label, "name": name, "mime": mime, "address": address}


async def _answer(request: Request) -> Response:
    offer = _offers.get(request.path_params["token"])
    if offer is None:
        return PlainTextResponse("This file is no longer here. Reload the page.", status_code=404)
    try:
        content = await asyncio.to_thread(offer.content)
    except DigitalDJError as error:
        return PlainTextResponse(without_places(str(error)), status_code=503)
    headers = {
        "cache-control": "no-store",
        "content-disposition": f"attachment; filename*=utf-8''{quote(offer.name)}",
    }
    return Response(content, media_type=offer.mime, headers=headers)


HAND_OUT_ROUTE = Route(f"{ADDRESS}/{{token}}/{{name}}", _answer, methods=["GET"])
