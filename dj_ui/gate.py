"""Checks every request's host name, hides Streamlit's internal pages and sets security headers.

Streamlit checks the host name (`server.allowedHosts`) only where a page's websocket opens. Here
every request is checked, so that no website can reach a file or an upload under a host name of its
own.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

_HIDDEN = ("/_stcore/metrics",)  # what the server holds in memory, and how many visit
_NAME = re.compile(r"[A-Za-z0-9.:\[\]-]+")


class Gate:
    """ASGI middleware around all others."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or say why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = Headers(scope=scope).get("host")
        ours = browser_headers(name or "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *ours]}
            await send(message)

        app = self.app
        if not is_host_allowed(name):
            app = PlainTextResponse(
                "This Digital DJ does not answer to that name. Whoever runs it lists its names: "
                "make run NAMES=dj.example.org",
                status_code=421,
            )
        elif scope["path"].rstrip("/").endswith(_HIDDEN):
            app = PlainTextResponse("There is nothing here.", status_code=404)
        await app(scope, receive, send_with_headers)


def browser_headers(name: str) -> list[tuple[bytes, bytes]]:
    """What a browser is told with every answer: nothing from elsewhere, in nobody else's frame.

    Streamlit draws with inline styles and scripts, and loads the deck's program and what it plays
    from memory (`blob:`, `data:`). Beside inline scripts 'unsafe-eval' gives nothing away; charts
    and whoever drives a browser (our tests) compile what they are given. Where the app was reached
    by `name`, its websocket is, too.
    """
    socket = f" ws://{name} wss://{name}" if _NAME.fullmatch(name) else ""
    policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        f"connect-src 'self' data: blob:{socket}; media-src 'self' data: blob:; "
        "worker-src 'self' blob:; frame-src 'self' data: blob:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )
    return [
        (b"content-security-policy", policy.encode("ascii")),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
    ]
