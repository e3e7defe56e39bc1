"""The crate on other pages: the Keep button, and opening a kept beat on Generate."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import streamlit as st

from dj_core.errors import DigitalDJError, LibraryError
from dj_core.library.kept_beats import Crate, KeptBeat
from dj_core.music.beat import Beat
from dj_core.sets.set_plan import MAX_BEATS
from dj_core.sound.beat_sound import USUAL_SOUND, BeatSound
from dj_ui.deck import bring_back_sound, own_sound
from dj_ui.tasting import note
from dj_ui.words import spoken

ON_DECK = "dj_from_crate"  # the kept beat that is on Generate's deck, and its play token
IN_SET = "set_crate"  # the ids of those that are chosen on the Set page


@dataclass(frozen=True)
class FromCrate:
    """A kept beat on Generate's deck.

    Attributes:
        kept: the beat and what the crate knows of it.
        play: the deck's token: a tab that has not seen it starts the beat.
    """

    kept: KeptBeat
    play: str

    @property
    def slot(self) -> str:
        """What edits of it are kept by."""
        return slot_in_crate(self.kept)


def slot_in_crate(kept: KeptBeat) -> str:
    """The slot of a kept beat on any deck: what the visitor does to it is kept by that."""
    return f"crate-{kept.item.id}"


def keep_button(
    beat: Beat, *, key: str, name: str = "", sound: BeatSound = USUAL_SOUND, slot: str = ""
) -> None:
    """A button that puts the beat in the crate; it says so where exactly this beat is in there.

    Args:
        beat: what to keep, as it is on screen.
        key: unique on the page.
        name: what to call it; '' for its title, or its genre, tempo and seed.
        sound: what it is heard with.
        slot: its place on the deck; a sound that was chosen there since it was kept can be kept.
    """
    id, same, trouble = None, False, ""
    try:
        crate = Crate.open()
        id = crate.id_of(beat)
        same = id is not None and own_sound(slot) in (None, crate.sound_of(id))
    except DigitalDJError as error:
        trouble = spoken(error)
    st.button(
        "In the crate" if same else "Keep its sound" if id else "Keep",
        key=key,
        on_click=keep,
        args=(beat, name, sound, id),
        disabled=same or bool(trouble),
        help=trouble
        or (
            "The crate has this beat with another kit. Keeps the one you hear."
            if id
            else "Puts it in your crate, as it is on screen, for good."
        ),
    )


def keep(beat: Beat, name: str, sound: BeatSound, id: str | None = None) -> None:
    """Put a beat in the crate, or give the one of this id another sound, and say so."""
    try:
        crate = Crate.open()
        if id is None:
            words = f"{crate.keep(beat, name=name, sound=sound).name} is in the crate."
            note(beat, "keep")
        else:
            crate.set_sound(id, sound)
            words = "The crate has the beat with this sound now."
    except LibraryError as error:
        st.toast(spoken(error))
        return
    st.toast(spoken(words))


def put_on_deck(kept: KeptBeat) -> None:
    """Have Generate's deck play a kept beat, with its sound."""
    st.session_state[ON_DECK] = FromCrate(kept, secrets.token_hex(4))
    bring_back_sound(slot_in_crate(kept), kept.sound)


def put_in_set(ids: tuple[str, ...]) -> None:
    """Choose kept beats for the Set page, after those chosen there. Raises LibraryError."""
    chosen = st.session_state.get(IN_SET, [])
    wanted = [*chosen, *(id for id in ids if id not in chosen)]
    if len(wanted) > MAX_BEATS:
        raise LibraryError(
            f"A set takes up to {MAX_BEATS} beats of yours; with these it would be {len(wanted):,}."
        )
    st.session_state[IN_SET] = wanted


def taken_from_crate() -> FromCrate | None:
    """The kept beat that is on Generate's deck; None when a take is."""
    return st.session_state.get(ON_DECK)


def leave_crate() -> None:
    """Give Generate's deck back to the takes."""
    st.session_state.pop(ON_DECK, None)
