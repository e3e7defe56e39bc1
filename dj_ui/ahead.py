"""Work done before the click: the browser fetches its result at a random address.

A page makes an `Ahead` and sends the browser its address. When the browser fetches it, the work
runs in a thread of its own, and only while no other take is being made or waits: under load, work
ahead of a click is dropped first. The answer is JSON, or empty (204) for 'not now'. On the click,
`outcome` returns the work, or says that it must be done the usual way.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dj_core.errors import DigitalDJError
from dj_core.host.limits import LIMITS
from dj_ui.turns import spare_turn

ADDRESS = "/ahead"
LONGEST_WAIT_SECONDS = 10.0  # of a click for the same work under way; a take takes a tenth of one
Outcome = TypeVar("Outcome")
_THREAD = ThreadPoolExecutor(1, "ahead")
_known: weakref.WeakValueDictionary[str, Ahead[Any]] = weakref.WeakValueDictionary()


class Ahead(Generic[Outcome]):
    """Work that may be done before anybody asks for it; it is forgotten with this object.

    Attributes:
        address: where the browser fetches it; whoever knows it may.
    """

    def __init__(
        self,
        make: Callable[[], Outcome],
        payload: Callable[[Outcome], dict[str, Any]],
        *,
        bars: float,
        who: str,
    ) -> None:
        """
        Args:
            make: does the work; must not ask Streamlit for anything. A DigitalDJError it raises is
                left to the click, which says it.
            payload: what the browser is told, JSON-able.
            bars: how long the music is, in bars of 4/4; more than the limit `ahead_bars` is not
                made ahead.
            who: the visitor, as `visiting.visitor` says.
        """
        self._make, self._payload, self._who = make, payload, who
        self._too_long = bars > LIMITS.ahead_bars
        self._lock = threading.Lock()
        self._made: tuple[Outcome, bytes] | None = None
        token = secrets.token_urlsafe(24)
        _known[token] = self
        self.address = f"{ADDRESS}/{token}"

    def outcome(self) -> Outcome | None:
        """What was made, after the end of work under way; None where it was not."""
        if not self._lock.acquire(timeout=LONGEST_WAIT_SECONDS):
            return None
        try:
            return self._made[0] if self._made else None
        finally:
            self._lock.release()

    def answer(self) -> bytes | None:
        """The payload as JSON; made now, if it was not. None where others come first."""
        with self._lock:
            if self._made is None and not self._too_long:
                with spare_turn(self._who) as is_spare:
                    if is_spare:
                        self._made = self._done()
            return self._made[1] if self._made else None

    def _done(self) -> tuple[Outcome, bytes] | None:
        try:
            outcome = self._make()
        except DigitalDJError:
            return None
        return outcome, json.dumps(self._payload(outcome)).encode()


async def _answer(request: Request) -> Response:
    work = _known.get(request.path_params["token"])
    content = None
    if work:
        content = await asyncio.get_running_loop().run_in_executor(_THREAD, work.answer)
    headers = {"cache-control": "no-store"}
    if content is None:
        return Response(status_code=204, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


AHEAD_ROUTE = Route(f"{ADDRESS}/{{token}}", _answer, methods=["GET"])
