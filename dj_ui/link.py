"""Ableton Link: where the session's beat is, told to a browser on the same computer.

The package `aalink` is optional (extra `link`). A session is joined with the first
question and left when none came for a while. Only this computer is told: a beat that comes over a
network of its own would be late by as much as that takes.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dj_core.host.extras import what_to_install

ADDRESS = "/link"
NOT_INSTALLED = what_to_install("aalink")
ELSEWHERE = "Ableton Link works where the app runs on the same computer as this browser."
FIRST_TEMPO_BPM = 120.0  # of a session that nobody else has begun
BAR_QUARTERS = 4.0  # programs agree on the place in bars of this length
LEFT_AFTER_SECONDS = 15.0  # without a question
_LOOK_SECONDS = 5.0


class LinkSession:
    """This server's place in a Link session, kept while somebody asks."""

    def __init__(self) -> None:
        self._link: Any = None
        self._asked_at = 0.0
        self._leaving: asyncio.Task[None] | None = None

    def state(self) -> dict[str, Any]:
        """`bpm`, `beat` (in quarters) now and `peers`; or why not. Call it in the server's loop."""
        try:
            aalink = importlib.import_module("aalink")
        except ImportError:
            return {"why": NOT_INSTALLED}
        self._asked_at = time.monotonic()
        if self._link is None:
            self._link = aalink.Link(FIRST_TEMPO_BPM)
            self._link.quantum = BAR_QUARTERS
        if not self._link.enabled:
            self._link.enabled = True
            self._leaving = asyncio.get_running_loop().create_task(self._leave_when_unasked())
        link = self._link
        return {"why": "", "bpm": link.tempo, "beat": link.beat, "peers": link.num_peers}

    async def _leave_when_unasked(self) -> None:
        while time.monotonic() - self._asked_at < LEFT_AFTER_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
        self._link.enabled = False


_session = LinkSession()


async def _answer(request: Request) -> Response:
    headers = {"cache-control": "no-store"}
    host = request.client.host if request.client else ""
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    state = _session.state() if is_here else {"why": ELSEWHERE}
    return JSONResponse(state, headers=headers)


LINK_ROUTE = Route(ADDRESS, _answer, methods=["GET"])
