"""Files to drag out of a deck: made when they are fetched, at random addresses."""

from __future__ import annotations

import asyncio
import secrets
import weakref
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
_OFFERS = "dj_hand_out"  # a session's own; they go with it


@dataclass(frozen=True)
class _Offer:
    """A file that is not made yet, and whom it is for."""

    token: str
    name: str
    mime: str
    make: Callable[[], bytes]
    visitor: Any

    def content(self) -> bytes:
        with as_visitor(self.visitor):
            return self.make()


_offers: weakref.WeakValueDictionary[str, _Offer] = weakref.WeakValueDictionary()


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
    own: dict[str, _Offer] = st.session_state.setdefault(_OFFERS, {})
    before = own.get(f"{key} {label}")
    token = before.token if before else secrets.token_urlsafe(24)
    offer = _Offer(token, name, mime, make, get_script_run_ctx())
    _offers[token] = own[f"{key} {label}"] = offer
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
