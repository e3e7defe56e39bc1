"""Find like this and Surprise me: search by ear on the pages, its finds to hear and keep."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, cast

import streamlit as st

from dj_core.corpus.search import catalogue_of
from dj_core.errors import DigitalDJError
from dj_core.library.kept_beats import Crate
from dj_core.library.library import Library
from dj_core.music.beat import Beat
from dj_core.music.genres import DANCE_STYLES
from dj_core.music.traits import usual_name
from dj_core.taste.search_by_ear import (
    FRESH_TAKES,
    SURPRISES_FROM,
    Found,
    far_takes,
    farthest,
    fresh_takes,
    in_collection,
    in_crate,
    nearest,
    sound_of_beat,
)
from dj_ui.deck import listen
from dj_ui.deck.payload import beat_id
from dj_ui.keeping import keep_button
from dj_ui.models import loaded
from dj_ui.turns import turn_to_play
from dj_ui.words import spoken

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

SHOWN = 6
_FOUND = "dj_found"  # by key: what was asked, and what was found
Finds = tuple[Found, ...]


def draw_search(beat: Beat, *, key: str, crate_id: str = "", surprises: bool = False) -> None:
    """Buttons that find beats like this one, or unlike all that was kept; and what was found.

    Args:
        beat: on screen.
        key: unique on the page.
        crate_id: of the beat, where it is in the crate: it is not found itself.
        surprises: offer these, too.
    """
    all_found = st.session_state.setdefault(_FOUND, {})
    search: Callable[[], Finds] | None = None
    with st.container(horizontal=True, key=f"dj_search_{key}"):
        if st.button(
            "Find like this", key=f"{key}_like",
            help="Searches your crate, your collections and new takes for grooves like this one.",
        ):  # fmt: skip
            search = partial(like, beat, crate_id)
        if surprises and st.button(
            "Surprise me", key=f"{key}_surprise",
            help="Looks in your collections and in new takes for what is least like anything you "
            "kept.",
        ):  # fmt: skip
            search = surprise
    if search:
        try:
            with st.spinner("Listening through everything…"):
                all_found[key] = beat_id(beat), search()
        except DigitalDJError as error:
            st.warning(spoken(error))
    asked, found = all_found.get(key, ("", ()))
    if asked == beat_id(beat):
        with st.container(key=f"dj_finds_{key}"):
            for number, one in enumerate(found):
                _draw(one, f"{key}_{number}")
            if not found:
                st.caption("There is nothing to compare with yet.")


def like(beat: Beat, crate_id: str = "") -> Finds:
    """Beats like this one, from everywhere. Raises DigitalDJError."""
    library, sound = Library.open(), sound_of_beat(beat)
    files = chain.from_iterable(in_collection(catalogue_of(c), beat) for c in library.corpora())
    fresh: Finds = ()
    if model := _groove(library):
        with turn_to_play("Making takes like it…", FRESH_TAKES * min(beat.bars, 8)):
            fresh = fresh_takes(model, beat, random.randrange(1, 100_000))
    mine = in_crate(Crate.open(), but=crate_id)
    others = (one for one in chain(mine, files, fresh) if one.beat.hits != beat.hits)
    return nearest(sound, others, SHOWN)


def surprise() -> Finds:
    """Beats unlike all that is in the crate. Raises DigitalDJError."""
    library, seed = Library.open(), random.randrange(1, 100_000)
    kept = [one.beat for one in in_crate(Crate.open())]
    files = chain.from_iterable(
        in_collection(catalogue_of(c), None, most=SURPRISES_FROM, seed=seed)
        for c in library.corpora()
    )
    fresh: Finds = ()
    if model := _groove(library):
        genres = [genre for genre in model.genres if genre in DANCE_STYLES] or [*model.genres]
        with turn_to_play("Making takes…", FRESH_TAKES * 8):
            fresh = far_takes(model, genres, kept, seed)
    sounds = [sound_of_beat(beat) for beat in kept]
    some = farthest(sounds, files, SHOWN // 2)
    return (*farthest(sounds, fresh, SHOWN - len(some)), *some)


def _groove(library: Library) -> GrooveModel | None:
    """The usual model, where it has styles."""
    model = library.model(None)
    return cast("GrooveModel", loaded(model)) if model.has_feel else None


def _draw(one: Found, key: str) -> None:
    """One find: what and where it is, to hear and to keep."""
    name = one.name or usual_name(one.beat)
    with st.container(horizontal=True, vertical_alignment="center", key=f"dj_find_{key}"):
        listen(one.beat, key=f"dj_hear_{key}", name=name)
        st.caption(spoken(f"{name} · {one.where} · {one.likeness:.0%} alike"))
        keep_button(one.beat, key=f"keep_{key}", name=name)
