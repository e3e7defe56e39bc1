"""Rate limit for each page's messages, so that one page cannot slow down the others.

Every click makes Streamlit run a page again, which takes a tenth of a second of the one Python
process. A page may send a dozen messages at once and three a second after that, more than a hand
does. Messages beyond that wait in one shared queue that lets one a second through, page by page.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected

AT_ONCE = 12
A_SECOND = 3.0  # for each page
IN_LANE_A_SECOND = 1.0  # for all together that have used up theirs


class Pacing:
    """ASGI middleware that delays what a websocket sends too fast, and refuses nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._lane: asyncio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket; all else passes."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        left, passed = float(AT_ONCE), time.monotonic()

        async def receive_in_pace() -> Message:
            nonlocal left, passed
            message = await receive()
            if message["type"] == "websocket.receive":
                left = min(AT_ONCE, left + A_SECOND * (time.monotonic() - passed)) - 1
                if left < 0:
                    left = 0.0
                    await self._wait_in_lane()
                passed = time.monotonic()
            return message

        # Streamlit 1.67 closes a websocket once more where its visitor left amid a flood
        with contextlib.suppress(WebSocketDisconnected):
            await self.app(scope, receive_in_pace, send)

    async def _wait_in_lane(self) -> None:
        """Locks are given in the order they were asked for: each page in the lane has its turn."""
        self._lane = self._lane or asyncio.Lock()
        async with self._lane:
            await asyncio.sleep(1 / IN_LANE_A_SECOND)
