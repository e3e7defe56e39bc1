"""Large files for visitors: streamed from disk at random addresses.

Streamlit's own download button holds a file in memory for as long as a page shows it; an hour of
WAV is 600 MB. These files lie in a temporary folder of the visitor's session, outside the DJ's own,
and go with the session.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

ADDRESS = "/take-away"
OFFERS_KEPT = 256  # for all visitors together
_offers: dict[str, Path] = {}
_lock = threading.Lock()


class SessionFolder:
    """A temporary folder that is removed when nobody holds this object any more.

    Attributes:
        path: the folder, outside the DJ's own.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="digital-dj-made-"))
        # also when the server ends
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def offer(path: Path) -> str:
    """An address from which whoever knows it can take the file while this server runs."""
    with _lock:
        token = next((token for token, known in _offers.items() if known == path), None)
        if token is None:
            token = secrets.token_urlsafe(24)
            _offers[token] = path
            while len(_offers) > OFFERS_KEPT:
                del _offers[next(iter(_offers))]
    return f"{ADDRESS}/{token}/{quote(path.name)}"


async def _answer(request: Request) -> Response:
    path = _offers.get(request.path_params["token"])
    if path is None or path.name != request.path_params["name"] or not path.is_file():
        return PlainTextResponse(
            "This file is no longer here. Make it again on the Set page.", status_code=404
        )
    return FileResponse(path, filename=path.name, headers={"cache-control": "no-store"})


FILES_ROUTE = Route(f"{ADDRESS}/{{token}}/{{name}}", _answer, methods=["GET"])
