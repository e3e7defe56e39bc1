"""Puts a beat on the deck with its files; shows figures and lists beside it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from dj_core.errors import BeatError
from dj_core.files.beat_link import beat_to_text
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_label
from dj_core.sound.kit_table import kit_named
from dj_ui.deck import chosen_kit, deck, follow_style, heard_for, seed_fact, send_kit, sound_of
from dj_ui.deck.payload import beat_id
from dj_ui.takeaway import files_to_drag, takeaway
from dj_ui.words import spoken


@st.fragment
def player(
    beat: Beat,
    *,
    key: str,
    slot: str = "",
    name: str = "",
    play: str | None = None,
    soundfont: Path | None = None,
    locks: bool = False,
    taken_as: str = "",
    below: Callable[[Beat], None] | None = None,
    then: Callable[[], None] | None = None,
) -> None:
    """A beat on the deck, and under it the files of what is on screen, edits included.

    An edit runs this part of the page anew, not the whole of it.

    Args:
        beat: what to put on.
        key, slot, play, soundfont, locks: see `dj_ui.deck.deck`.
        name: what to call it; '' for the beat's own title and genre.
        taken_as: what its files, and it in the crate, are called; '' for genre, tempo and seed.
        below: draws what else follows from the beat as it was edited.
        then: called as soon as the deck has the beat and its drums, before the rest is drawn.
    """
    follow_style(beat.genre or "")
    slot = slot or beat_id(beat)
    played = partial(heard_for, beat, slot)

    def along(now: Beat) -> dict[str, object]:
        sound = replace(sound_of(slot), kit=chosen_kit(slot))
        files = files_to_drag(
            now, key=key, sound=sound, soundfont=soundfont, name=taken_as, played=played
        )
        return {"files": files, "link": link_to(now, sound_of(slot).kit)}

    now = deck(
        beat,
        key=key,
        slot=slot,
        name=name or beat_name(beat),
        facts=seed_fact(beat),
        play=play,
        soundfont=soundfont,
        locks=locks,
        kit_later=True,
        follow=True,
        along=along,
    )
    drums = st.container(key=f"{key}_kit_box")
    if then:
        with drums:
            send_kit(key, [beat], soundfont, slot)
        then()
    kit, sound = chosen_kit(slot), sound_of(slot)
    if sound.kit not in ("", kit):
        instead = kit_named(kit).label
        words = f"The kit {sound.kit} of this beat is not here. {instead} plays instead."
        st.caption(spoken(words))
    takeaway(
        now,
        key=key,
        kit=kit,
        sound=sound,
        slot=slot,
        soundfont=soundfont,
        name=taken_as,
        played=played,
    )
    if below:
        below(now)
    with drums:
        send_kit(key, [beat, now], soundfont, slot)


def link_to(beat: Beat, kit: str) -> str:
    """An address on Generate that holds the beat; '' where it is too long for one."""
    try:
        asked = {"beat": beat_to_text(beat)} | ({"kit": kit} if kit else {})
    except BeatError:
        return ""
    return f"generate?{urlencode(asked)}"


def beat_name(beat: Beat) -> str:
    """What a display calls a beat that nobody named: its title and genre, or its source."""
    parts = [beat.title, genre_label(beat.genre) if beat.genre else ""]
    return " · ".join(part for part in parts if part) or beat.provenance.source or "Beat"


def show_figure(svg: bytes, alt: str) -> None:
    """A figure as an image with a text for those who do not see it."""
    data = base64.b64encode(svg).decode()
    st.html(f'<img class="dj-figure" alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">')


def show_counts(counts: Sequence[tuple[str, int]], title: str) -> None:
    """Names with how often each occurs, as bars, the first on top."""
    most = max((count for _, count in counts), default=1)
    rows = "".join(
        f'<dt>{escape(name)}</dt><dd style="--share:{count / most:.3f}"><i></i>{count:,}</dd>'
        for name, count in counts
    )
    st.html(f'<p class="dj-title">{escape(title)}</p><dl class="dj-counts">{rows}</dl>')
