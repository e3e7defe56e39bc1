"""Prepares at start what the first visitor would otherwise wait for.

A drum kit takes half a second to render, the model with PyTorch two to load, the opening beat a
tenth to read, and Streamlit imports pandas for a page's first component and Pillow for its icon.
All of it is kept in memory for every visitor. Fetched beside the first page it would hold that page
up, as one process runs one thread of Python at a time: measured from the command to the first beat,
ready first is sooner.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Callable

from dj_core.errors import DigitalDJError
from dj_core.library.library import Library
from dj_core.models.request import GenerationRequest
from dj_ui.deck import usual_kit
from dj_ui.deck.kits import kit_payload
from dj_ui.models import loaded
from dj_ui.opening import opening_beat
from dj_ui.turns import share_time

# modules the first page stands on, and what Streamlit fetches for it
_FIRST_PAGE = (
    "dj_ui.controls",
    "dj_ui.keeping",
    "dj_ui.frame",
    "dj_ui.player",
    "dj_ui.shaping",
    "dj_ui.takes",
    "PIL.Image",
    "pandas",
)


@contextlib.asynccontextmanager
async def ready_to_play(_app: object) -> AsyncIterator[None]:
    """The app's lifespan: it answers once it is ready."""
    make_ready()
    share_time()
    yield


def make_ready() -> None:
    """Fetch it; what is missing (FluidSynth, a model) is said to the visitor who needs it."""
    for name in _FIRST_PAGE:
        importlib.import_module(name)
    steps: tuple[Callable[[], object], ...] = (opening_beat, _strike_kit, _load_model)
    for step in steps:
        with contextlib.suppress(DigitalDJError):
            step()


def _strike_kit() -> None:
    """Make the kit that the opening beat is heard with."""
    kit_payload(usual_kit(opening_beat().genre or ""))


def _load_model() -> None:
    """Load the model that plays by default, and play once: what it keeps for takes is made then."""
    loaded(Library.open().model()).generate(GenerationRequest(bars=1, seed=1))
