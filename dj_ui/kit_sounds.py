"""The drums of a kit at an address of their own: a browser plays them before the kit is chosen."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dj_core.errors import SoundError
from dj_core.music.drums import GENERAL_MIDI_PERCUSSION
from dj_ui.deck.kits import kit_part

ADDRESS = "/kit-sounds"


async def _answer(request: Request) -> Response:
    asked = request.query_params.get("notes", "").split(",")
    notes = {int(note) for note in asked if note.isascii() and note.isdigit() and len(note) < 4}
    try:
        struck = notes.intersection(GENERAL_MIDI_PERCUSSION)
        drums = await run_in_threadpool(kit_part, request.path_params["kit"], struck)
    except SoundError as error:
        return PlainTextResponse(str(error), status_code=404)
    return JSONResponse(drums, headers={"cache-control": "no-store"})


KIT_SOUNDS_ROUTE = Route(f"{ADDRESS}/{{kit}}", _answer, methods=["GET"])
