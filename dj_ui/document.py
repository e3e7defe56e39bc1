"""The app's HTML document: dark from the first frame, with the style sheets in it.

Streamlit's own document is white until its program has loaded, and its theme then follows the
operating system. This middleware adds a few lines to the document's head that
paint it dark at once and make the dark theme the one to start with. A visitor's own choice in
the menu (system, light, dark) wins, and holds for every page. They also say where the server is,
and which parts of the program a first page will need. With the document comes the cookie by which
a browser finds its takes again.

The style sheets stand in the document too. What Streamlit draws it also takes away again: a toast
from a fragment takes the place of whatever the page put first, and a style drawn there is gone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dj_ui.frame import PAGES
from dj_ui.program_files import early_links
from dj_ui.sessions import session_cookie

# Streamlit's program looks for its server below a page's own address first, which fails and is
# complained of in the browser's console; `window.__streamlit`, its hook for hosts, says where.
#
# Streamlit 1.67 keeps the chosen theme per address under "stActiveTheme-PATH-v2". Should another
# version name it otherwise, the app follows the operating system, in colours as good.
_HEAD = b"""<title>Digital DJ</title>
    <meta name="description" content="Drum beats to explore, train on and generate." />
    <style>html { background: #0f1013; color-scheme: dark }
      html[data-light] { background: #f4f2ee; color-scheme: light }</style>
    <script>
      try {
        const here = `stActiveTheme-${location.pathname}-v2`
        const chosen = localStorage.getItem("djTheme") ?? '"Dark"'
        localStorage.setItem(here, chosen)
        addEventListener("pagehide", () =>
          localStorage.setItem("djTheme", localStorage.getItem(here) ?? chosen))
        const light = matchMedia("(prefers-color-scheme: light)").matches
        const root = document.documentElement
        root.toggleAttribute(
          "data-light", chosen === '"Light"' || (chosen === '"System"' && light))
        // Streamlit tells the theme to its app alone; what floats above it needs to know it, too
        new MutationObserver((_, waiting) => {
          const app = document.querySelector(".stApp")
          if (!app) return
          waiting.disconnect()
          new MutationObserver(() => root.toggleAttribute(
            "data-light", getComputedStyle(app).colorScheme === "light"
          )).observe(app, { attributes: true, attributeFilter: ["class"] })
        }).observe(root, { childList: true, subtree: true })
      } catch {} // a browser that keeps nothing follows the operating system
      window.__streamlit = { BACKEND_BASE_URL:
        location.origin + location.pathname.replace(/\\/(PAGES)?\\/?$/, "/") }
    </script>"""
TITLE = b"<title>Streamlit</title>"
END = b"</body>"  # Streamlit's own styles go into the head: ours come after them and win
_STYLE_SHEETS = ("theme.css", "set.css", "paper.css")


def head() -> bytes:
    """The document's title and what stands beside it, with the address of every page."""
    return _HEAD.replace(b"PAGES", "|".join(PAGES).encode())


@functools.cache
def style_lines() -> bytes:
    """The app's style sheets as one element."""
    folder = Path(__file__).parent
    sheets = b"".join((folder / name).read_bytes() for name in _STYLE_SHEETS)
    return b'<style id="dj-styles">' + sheets + b"</style>\n  "


class DarkDocument:
    """ASGI middleware that puts `head` and the styles into the document; the rest stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _wants_document(scope):
            await self.app(scope, receive, send)
            return
        # the document is small: asked for uncompressed, it can be read and added to
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        answer = _DocumentAnswer(send, session_cookie(scope))
        await self.app({**scope, "headers": headers}, receive, answer.send)


def _wants_document(scope: Scope) -> bool:
    return b"text/html" in dict(scope["headers"]).get(b"accept", b"")


def _is_html(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether an answer is a document; one that does not say what it is counts as one."""
    kinds = [value for name, value in headers if name.lower() == b"content-type"]
    return not kinds or kinds[0].startswith(b"text/html")


class _DocumentAnswer:
    """Collects one answer and passes it on with the document's head exchanged.

    Answers that say they are something else, such as a file to download, pass as they come.
    """

    def __init__(self, send: Send, cookie: tuple[bytes, bytes]) -> None:
        self._send, self._cookie = send, cookie
        self._start: Message = {}
        self._body = bytearray()
        self._is_document = True

    async def send(self, message: Message) -> None:
        """Take one ASGI message of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
            self._is_document = _is_html(message["headers"])
            if self._is_document:
                return
        if message["type"] != "http.response.body" or not self._is_document:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = bytes(self._body).replace(TITLE, head() + early_links(), 1)
        before, end, after = body.rpartition(END)
        body = before + style_lines() + end + after if end else body
        headers = [
            (name, str(len(body)).encode() if name.lower() == b"content-length" else value)
            for name, value in self._start["headers"]
        ]
        await self._send({**self._start, "headers": [*headers, self._cookie]})
        await self._send({"type": "http.response.body", "body": body})
