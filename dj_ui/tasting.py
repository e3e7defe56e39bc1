"""The visitor's taste on the pages: what they do is noted, what was learned shown and applied."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, cast

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.files.file_names import counted
from dj_core.host.read_only import read_only
from dj_core.library.library import Library, ModelInfo
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_label
from dj_core.taste.heard import TRAIT, TRAITS
from dj_core.taste.judgements import MOST_WEIGHT, OWN, Judgement, Taste, TasteFile, taste_from_json
from dj_core.taste.preference import FEWEST, Preference, learned, style_for
from dj_ui.downloads import download_button
from dj_ui.models import loaded
from dj_ui.sessions import visitors_session
from dj_ui.uploads import forget_uploads
from dj_ui.visiting import NOBODY, take_allowance, visitor, wants_sign_in
from dj_ui.words import spoken

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

MORE_ME = "more_me"  # the slider
LEAVING = "dj_taste_noted"  # (beat, deed) that are written when the page is drawn
MOST_LISTED = 50
SURE = 1.0  # a weight this many spreads from 0 is put in words
BARS_SHOWN, NARROW_PIXELS = 12, 320
_FORWARDED = ("X-Forwarded-For", "Forwarded")  # who comes by a proxy sits at another machine


# -- whose -----------------------------------------------------------------------------------------


def own_taste() -> TasteFile | None:
    """The taste of whoever looks at this page; None where nothing tells them from others.

    The DJ at this machine has one; who signed in, by their address; every other visitor of a host
    one per browser.
    """
    who: str | None
    if visitor() == NOBODY and not any(st.context.headers.get(name) for name in _FORWARDED):
        who = OWN
    elif wants_sign_in():
        who = hashlib.sha256(visitor().encode()).hexdigest()[:32]
    else:
        who = visitors_session()
    return TasteFile(Library.open().home, who) if who else None


# -- noting ----------------------------------------------------------------------------------------


def note(beat: Beat, deed: str, stars: int = 1) -> None:
    """Note what was done with a beat; see `judgements.DEEDS`. Read-only hosts learn nothing."""
    _change(lambda now: now.noted(beat, deed, stars))


def note_later(beat: Beat, deed: str) -> None:
    """Note it as soon as the page is drawn: nothing comes between a click and the sound."""
    st.session_state.setdefault(LEAVING, []).append((beat, deed))


def write_notes() -> None:
    """Write what was noted for later. Who did something with a beat has not skipped it."""
    leaving = st.session_state.pop(LEAVING, [])

    def noted(now: Taste) -> Taste:
        for beat, deed in leaving:
            if deed != "skip" or now.of(beat) is None:
                now = now.noted(beat, deed)
        return now

    if leaving:
        _change(noted)


def _change(how: Callable[[Taste], Taste]) -> None:
    """Change the visitor's taste. What goes wrong costs the note alone: nobody asked for it."""
    with contextlib.suppress(DigitalDJError):
        if not read_only() and (taste := own_taste()):
            taste.change(how)


def when_taken(beat: Beat, make: Callable[[], bytes]) -> Callable[[], bytes]:
    """What makes a file of a beat, and notes that it was taken along."""

    def made() -> bytes:
        content = make()
        note(beat, "download")
        return content

    return made


# -- drawing by it -----------------------------------------------------------------------------


def choose_more_me(on_change: Callable[[], None]) -> None:
    """The slider: how much of the DJ's taste is in what is drawn next; where taste is learned."""
    if read_only():
        return
    if MORE_ME not in st.session_state:
        st.session_state[MORE_ME] = 0
        with contextlib.suppress(DigitalDJError):
            st.session_state[MORE_ME] = taste.read().more_me if (taste := own_taste()) else 0

    def changed() -> None:
        on_change()
        _change(lambda now: replace(now, more_me=st.session_state[MORE_ME]))

    st.slider(
        "More me", 0, 100, step=5, format="%d%%", key=MORE_ME, persist_state="session",
        on_change=changed,
        help="At 0% styles are drawn as if nobody were listening. The higher, the more of what you "
        "keep and the less of what you skip. What was learned of you is on the Crate page.",
    )  # fmt: skip


def by_taste(model: ModelInfo, request: GenerationRequest) -> GenerationRequest:
    """The request in a style of the DJ's taste; as it is where that is off or knows too little.

    Raises:
        GenerationError: it cannot be played.
    """
    more_me = st.session_state.get(MORE_ME, 0) / 100
    taste = own_taste() if more_me and model.has_feel else None
    known = learned_now(taste, model) if taste else None
    if known is None:
        return request
    return replace(request, style=style_for(known, _groove(model), request, more_me))


def fits(model: ModelInfo, request: GenerationRequest) -> bool:
    """Whether a request's style is one that it may be drawn in."""
    return request.style is not None and request.style in _groove(model).candidates(request)[0]


def learned_now(taste: TasteFile, model: ModelInfo) -> Preference | None:
    """What was learned so far; None where that is too little, or cannot be read."""
    try:
        return _learned(taste, taste.written, _groove(model))
    except DigitalDJError:
        return None


@lru_cache(maxsize=64)
def _learned(taste: TasteFile, written: int, model: GrooveModel) -> Preference | None:
    """Keyed by when it was written, too."""
    return learned(taste.read(), model)


def _groove(model: ModelInfo) -> GrooveModel:
    return cast("GrooveModel", loaded(model))  # no other family has a feel


# -- what was learned --------------------------------------------------------------------------


def draw_taste() -> None:
    """What was learned in words and bars, and all of it to be changed."""
    taste = own_taste()
    if taste is None:
        st.caption("This browser sends no cookies, so nobody's taste is learned.")
        return
    try:
        now = taste.read()
        model = Library.open().model(None)
    except DigitalDJError as error:
        st.warning(spoken(error))
        _reset_button(taste)
        return
    judged = [one for one in now.judgements if one.verdict[1]]
    liked = sum(one.verdict[0] for one in judged)
    st.caption(
        f"{counted(len(judged), 'beat')} judged, {liked:,} of them liked: by keeping, skipping, "
        "stars, edits, downloads and replays. It stays in your own folder, and is used by **More "
        "me** on Generate."
        + (" This Digital DJ is read only and learns nothing." if read_only() else "")
    )
    known = learned_now(taste, model) if model.has_feel else None
    if known is None:
        st.caption(f"With {FEWEST} judged beats it begins to know you.")
    else:
        _draw_weights(known, now)
    with st.container(horizontal=True, key="dj_taste_files"):
        if not read_only():
            _draw_changes(taste, now, known)
        _draw_files(taste, now)


def in_words(known: Preference, genre: str = "") -> str:
    """What a DJ keeps, in a sentence; the surest first."""
    mean, spread = known.weights(genre)
    sure = [
        (abs(weight), TRAITS[place].words(weight))
        for place, weight in enumerate(mean)
        if abs(weight) > max(SURE * spread[place], 0.1)
    ]
    words = [text for _, text in sorted(sure, reverse=True)[:5]]
    where = f" In {genre_label(genre)}" if genre else ""
    if not words:
        return f"{where or 'So far'} nothing stands out in what you keep.".strip()
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{where + ' you' if where else 'You'} keep {listed}.".strip()


def _draw_weights(known: Preference, now: Taste) -> None:
    genres = sorted({one.genre for one in now.judgements if one.genre})
    genre = st.selectbox(
        "Where", ["", *genres], format_func=lambda name: genre_label(name) or "Everywhere",
        key="taste_genre", width=NARROW_PIXELS,
    )  # fmt: skip
    st.markdown(f"**{in_words(known, genre)}**")
    mean, spread = known.weights(genre)
    order = sorted(range(len(TRAITS)), key=lambda at: -abs(mean[at]))[:BARS_SHOWN]
    most = max(float(abs(mean).max()), 0.5)
    rows = "".join(
        f"<dt>{escape(TRAITS[at].words(mean[at]))}</dt>"
        f'<dd style="--share:{abs(mean[at]) / most:.3f}" class="'
        f'{"dj-sure" if abs(mean[at]) > SURE * spread[at] else "dj-unsure"}"><i></i>'
        f"{abs(mean[at]):.2f}</dd>"
        for at in order
    )
    st.html(
        '<p class="dj-title">How much it counts; pale where it may be chance</p>'
        f'<dl class="dj-counts">{rows}</dl>'
    )


def _draw_changes(taste: TasteFile, now: Taste, known: Preference | None) -> None:
    """Put right what was learned: a trait's weight, or one judgement."""
    with st.popover("Put it right"):
        name = st.selectbox("What", [trait.name for trait in TRAITS], key="taste_trait")
        place = [trait.name for trait in TRAITS].index(name)
        weight = float(known.weights()[0][place]) if known else 0.0
        trait = TRAIT[name]
        asked = st.slider(
            f"From {trait.less} to {trait.more}", -MOST_WEIGHT, MOST_WEIGHT,
            round(min(max(weight, -MOST_WEIGHT), MOST_WEIGHT), 1), 0.1, key=f"taste_w_{place}",
        )  # fmt: skip
        with st.container(horizontal=True):
            if st.button("Set", key="taste_set"):
                _attempt(taste.change, lambda t: replace(t, weights={**t.weights, name: asked}))
            if name in now.weights and st.button("As learned", key="taste_unset"):
                rest = {key: value for key, value in now.weights.items() if key != name}
                _attempt(taste.change, lambda t: replace(t, weights=rest))
    judged = list(reversed(now.judgements))[:MOST_LISTED]
    if not judged:
        return
    with st.popover("Judgements"):
        one = st.selectbox(
            f"The latest {len(judged)}" if len(judged) > 1 else "The only one", judged,
            format_func=_judgement_words, key="taste_judgement",
        )  # fmt: skip
        with st.container(horizontal=True):
            for label, said in (("I like it", True), ("I do not", False)):
                if st.button(label, key=f"taste_said_{said}", disabled=one.said is said):
                    _attempt(taste.change, lambda t, said=said: t.said(one.beat, said))
            if st.button("Forget it", key="taste_forget"):
                _attempt(taste.change, lambda t: t.without(one.beat))


def _judgement_words(one: Judgement) -> str:
    liked, weight = one.verdict
    sign = "·" if not weight else "+" if liked else "−"
    return f"{sign} {one.name} ({', '.join(one.deeds)})"


def _draw_files(taste: TasteFile, now: Taste) -> None:
    """Take it along, bring it back, delete it."""
    download_button(
        "Export", lambda: json.dumps(dict(now.to_json()), indent=1) + "\n",
        "digital-dj-taste.json", "application/json", "taste_export",
    )  # fmt: skip
    if read_only():
        return
    with st.popover("Bring in"), st.form("taste_import", border=False, clear_on_submit=True):
        upload = st.file_uploader("A taste that was exported", key="taste_upload")
        st.caption("It takes the place of yours.")
        if st.form_submit_button("Bring in") and upload:
            try:
                take_allowance("upload")
                new = taste_from_json(upload.getvalue())
            except DigitalDJError as error:
                st.warning(spoken(error))
            else:
                forget_uploads()
                _attempt(taste.change, lambda _: new)
    _reset_button(taste)


def _reset_button(taste: TasteFile) -> None:
    if read_only():
        return
    with st.popover("Reset"):
        st.caption("Deletes all that was learned of you, for good.")
        if st.button("Delete it", key="taste_reset", type="primary"):
            _attempt(taste.reset)


def _attempt(act: Callable[..., object], *how: Callable[[Taste], Taste]) -> None:
    """Do what was asked for and draw it; or say why not."""
    try:
        act(*how)
    except DigitalDJError as error:
        st.warning(spoken(error))
        return
    st.session_state.pop(MORE_ME, None)  # another one may be in the file now
    st.rerun()
