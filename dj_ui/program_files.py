"""Serves Streamlit's browser program (120 small files) from memory, for a faster first page.

Streamlit reads each file in a thread, which takes 5 to 12 ms on a busy core. The files never change
while the server runs, and their names change with their content, so they are answered here at once.
A browser asks for half of them only when their components appear; the document names them earlier.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.file_util import get_static_dir

_KINDS = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8",
          ".woff2": b"font/woff2"}  # fmt: skip
_FOR_GOOD = b"public, immutable, max-age=31536000"  # a year, as Streamlit says it
_PLACE = "/static/"
_FIRST_SHOWN = (  # what every first page is made of, by the names of Streamlit's components
    "BidiComponent", "Button", "ButtonGroup", "DownloadButton", "Html", "NumberInput", "PageLink",
    "Selectbox", "Slider",
)  # fmt: skip
_IMPORTED = re.compile(rb'(?:from|import)"\./([^"]+\.js)"')


class ProgramFiles:
    """ASGI middleware that answers for Streamlit's program; all else is the app's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._files = _files(Path(get_static_dir()) / "static")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = self._asked(scope)
        if path is None:
            await self.app(scope, receive, send)
            return
        content = path.read_bytes()  # a millisecond at most, less than a thread's turn
        headers = [
            (b"content-type", _KINDS[path.suffix]),
            (b"content-length", str(len(content)).encode()),
            (b"cache-control", _FOR_GOOD),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _asked(self, scope: Scope) -> Path | None:
        """The file that a plain request is for; a part of one, or news of it, is the app's."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        if any(name == b"range" or name.startswith(b"if-") for name, _ in scope["headers"]):
            return None
        return self._files.get(scope["path"].rpartition(_PLACE)[2])


def _files(folder: Path) -> dict[str, Path]:
    """Every file of the program by its name below /static/; nothing else can be asked for."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix in _KINDS and path.is_file()
    }


@functools.cache
def early_links() -> bytes:
    """Lines for the document's head that name what its own do not; none if nothing is found."""
    folder = Path(get_static_dir()) / "static" / "js"
    first = [path.name for name in _FIRST_SHOWN for path in folder.glob(f"{name}.*.js")]
    document = (Path(get_static_dir()) / "index.html").read_bytes()
    names = [name for name in _with_imports(folder, first) if name.encode() not in document]
    return b"".join(
        b'\n    <link rel="modulepreload" crossorigin href="./static/js/%s" />' % name.encode()
        for name in names
    )


def _with_imports(folder: Path, names: Iterable[str]) -> list[str]:
    """Modules and all that they import, theirs included."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and (folder / name).is_file():
            found[name] = None
            imports = _IMPORTED.findall((folder / name).read_bytes())
            waiting += [other.decode() for other in imports]
    return list(found)
