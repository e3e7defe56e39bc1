"""The history of takes on Generate, each with the settings that made it.

It is also stored on disk for the browser's session, so that other tabs show it and a reload keeps
it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.library.take_history import History, PastTake
from dj_core.models.request import Take
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_label
from dj_core.music.traits import trait
from dj_core.sound.beat_sound import BeatSound
from dj_ui.deck import (
    bring_back_edit,
    bring_back_sound,
    edit_of,
    edited,
    give_sound,
    sound_of,
)
from dj_ui.sessions import sessions_home, visitors_session
from dj_ui.visiting import take_allowance

TAKES_KEPT = 8
_TAKES = "dj_takes"
_NOTED = "dj_noted_edits"  # what of the visitor's edits is on disk, by the take's number
_UNWRITTEN = "dj_unwritten_takes"
_TROUBLE = "dj_not_kept"  # why takes are not on disk, if they are not
ON_DECK = "dj_on_deck"  # the number of the take on deck; also the key of the row of takes
_TAB, _PLACE = "dj_tab", "dj_place"  # a tab's name; which take it was noted to show, beside what
NO_COOKIES = "This browser sends no cookies, so a reload forgets the takes. Keep what you like."


@dataclass(frozen=True)
class KeptTake:
    """One take of this tab.

    Attributes:
        number: counts from 1 in the order they were made, in all tabs of the browser.
        take: the music.
        settings: the controls' values that made it, by their keys.
        reserved: whether its number on disk is its own.
    """

    number: int
    take: Take
    settings: Mapping[str, Any]
    reserved: bool = False

    @property
    def slot(self) -> str:
        """What edits of this take are kept by."""
        return f"take-{self.number}"

    @property
    def beat(self) -> Beat:
        """The take as the visitor has edited it."""
        return edited(self.take.beat, self.slot)

    @property
    def name(self) -> str:
        """What the display shows: 'Take 3 · Jazz · busy ghosts', as it was made."""
        beat = self.take.beat
        style = [genre_label(beat.genre)] if beat.genre else []
        return " · ".join([f"Take {self.number}", *style, trait(beat)])

    @property
    def label(self) -> str:
        """What the row of takes shows: its number, and what stands out in it."""
        edited_too = ["edited"] if self.beat.provenance.edited else []
        return " · ".join([f"{self.number}", trait(self.take.beat), *edited_too])


def keep_take(take: Take, settings: Mapping[str, Any]) -> KeptTake:
    """Put a take on deck and remember it; the oldest of more than eight leaves the row.

    A page that calls this calls `write_down` at its end: a disk can keep a beat waiting.
    """
    number = max((kept.number for kept in kept_takes()), default=0)
    before = take_on_deck()
    reserved = False
    past = history()
    try:
        if past is None:
            st.session_state[_TROUBLE] = NO_COOKIES
        else:
            if not past.exists:
                take_allowance("session")
            number, reserved = past.reserve(after=number), True
            st.session_state.pop(_TROUBLE, None)
    except DigitalDJError as error:
        st.session_state[_TROUBLE] = str(error)
    kept = KeptTake(number if reserved else number + 1, take, dict(settings), reserved)
    give_sound(kept.slot, sound_of(before.slot if before else ""))
    _put_in_row(kept)
    if reserved:
        st.session_state.setdefault(_UNWRITTEN, []).append(kept)
    return kept


def history() -> History | None:
    """All takes of this browser, on disk; None where it has shown no cookie of ours."""
    session = visitors_session()
    return History(sessions_home(), session) if session else None


def not_kept() -> str:
    """Why a reload would not find the takes again; '' where it would."""
    return st.session_state.get(_TROUBLE, "")


def write_down() -> None:
    """Keep on disk what was put on deck, and done to it by hand, since the last time."""
    past = history()
    if past is None:
        return
    try:
        for kept in st.session_state.pop(_UNWRITTEN, ()):
            beat, notes = kept.take.beat, kept.take.notes
            how = str(beat.provenance.settings.get("shape", "generate"))
            sound = sound_of(kept.slot)
            past.write(kept.number, beat, kept.settings, how, notes, sound)
            st.session_state.setdefault(_NOTED, {})[kept.number] = (None, sound)
        _note_edits(past)
    except DigitalDJError as error:
        st.session_state[_TROUBLE] = str(error)


def _note_edits(past: History) -> None:
    noted: dict[int, tuple[Any, BeatSound]] = st.session_state.setdefault(_NOTED, {})
    ours = [kept for kept in kept_takes() if kept.reserved]
    for number in noted.keys() - {kept.number for kept in ours}:
        del noted[number]
    for kept in ours:
        now = edit_of(kept.take.beat, kept.slot), sound_of(kept.slot)
        if now != noted.get(kept.number):
            past.note_edit(kept.number, *now)
            noted[kept.number] = now


def keep_laid_out(tool: str, beats: Sequence[tuple[str, Beat]]) -> None:
    """Keep what a tool laid side by side to be chosen from, each with its label, for a reload."""
    past = history()
    if past is not None:
        with contextlib.suppress(DigitalDJError):  # it is still there until the page is left
            past.lay_out(tool, beats)


def laid_out() -> tuple[str, list[tuple[str, Beat]]]:
    """What lay side by side before a reload, and the tool it was of; '' for nothing."""
    past = history()
    tool, beats = past.laid_out() if past else ("", ())
    return tool, list(beats)


def bring_back() -> KeptTake | None:
    """When a tab is opened: its browser's last takes, into the row. Returns the latest of them."""
    if _TAKES in st.session_state:
        return None
    past = history()
    takes: tuple[KeptTake, ...] = ()
    if past is not None and past.exists:
        past.used_now()
        takes = tuple(map(_brought_back, past.takes(latest=TAKES_KEPT)))
    st.session_state[_TAKES] = takes
    return take_on_deck()


def call_back(past: PastTake) -> KeptTake:
    """Put a take of this browser on deck again, as it was edited."""
    for kept in kept_takes():
        if kept.number == past.number:
            st.session_state[ON_DECK] = kept.number
            return kept
    kept = _brought_back(past)
    _put_in_row(kept)
    return kept


def _brought_back(past: PastTake) -> KeptTake:
    kept = KeptTake(past.number, Take(past.beat, past.notes), past.settings, reserved=True)
    bring_back_sound(kept.slot, past.sound)
    if past.edit is not None and edit_of(past.beat, kept.slot) is None:
        bring_back_edit(past.beat, kept.slot, past.edit)
    noted = (edit_of(past.beat, kept.slot), sound_of(kept.slot))
    st.session_state.setdefault(_NOTED, {})[kept.number] = noted
    return kept


def _put_in_row(kept: KeptTake) -> None:
    st.session_state[_TAKES] = (*kept_takes(), kept)[-TAKES_KEPT:]
    st.session_state[ON_DECK] = kept.number


# -- which take belongs to an address --------------------------------------------------------------


def note_place(settings: Mapping[str, Any]) -> None:
    """Keep which take is on deck beside these settings, for when the tab is opened anew."""
    kept, past = take_on_deck(), history()
    if not (kept and kept.reserved and past):
        return
    place = (kept.number, dict(settings))
    if place == st.session_state.get(_PLACE):
        return
    tab = st.session_state.setdefault(_TAB, secrets.token_hex(4))
    try:
        past.note_place(tab, settings, kept.number)
    except DigitalDJError as error:
        st.session_state[_TROUBLE] = str(error)
    st.session_state[_PLACE] = place


def own_take(settings: Mapping[str, Any]) -> KeptTake | None:
    """Put the take on deck that this browser had beside the settings of an address.

    That is the one a tab showed, else one that was made by them; None for an address that is
    somebody else's, or was changed by hand.
    """
    past = history()
    number = past.take_shown_beside(settings) if past else None
    if past and number is not None:
        with contextlib.suppress(DigitalDJError):  # damaged
            return call_back(past.take(number))
    for kept in reversed(kept_takes()):
        if all(kept.settings.get(key) == value for key, value in settings.items()):
            st.session_state[ON_DECK] = kept.number
            return kept
    return None


# -- the row -------------------------------------------------------------------------------------


def kept_takes() -> tuple[KeptTake, ...]:
    """The takes of this tab, as they came."""
    return st.session_state.get(_TAKES, ())


def take_on_deck() -> KeptTake | None:
    """The take a DJ chose, else the latest, or None before the first."""
    takes = kept_takes()
    chosen = [kept for kept in takes if kept.number == st.session_state.get(ON_DECK)]
    return (chosen or list(takes[-1:]) or [None])[0]
