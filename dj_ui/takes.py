"""What a session remembers of Generate: the last takes, each with the settings that made it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dj_core.beat import Beat
from dj_core.errors import DigitalDJError
from dj_core.genres import genre_label
from dj_core.library import Library
from dj_core.models.request import Take
from dj_core.shape.history import History, PastTake, new_session_id
from dj_ui.deck import bring_back_edit, edit_of, edited

TAKES_KEPT = 8
_TAKES, _NUMBER = "dj_takes", "dj_take_count"
_NOTED = "dj_noted_edits"  # what of the visitor's edits is on disk, by the take's number
_UNWRITTEN = "dj_unwritten_takes"
SESSION = "session"  # in the link too, so that a reload finds the takes again
ON_DECK = "dj_on_deck"  # the number of the take on deck; also the key of the row of takes


@dataclass(frozen=True)
class KeptTake:
    """One take of this session.

    Attributes:
        number: counts from 1 in the order they were made.
        take: the music.
        settings: the controls' values that made it, by their keys.
    """

    number: int
    take: Take
    settings: Mapping[str, Any]

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
        """What the display shows: 'Take 3 · Jazz', or the model where it knows no genre."""
        genre = self.take.beat.genre
        return f"Take {self.number} · {genre_label(genre) if genre else self.settings['model']}"

    @property
    def label(self) -> str:
        """What the row of takes shows: number, tempo and seed."""
        beat = self.beat
        words = [f"{self.number}", f"{beat.playing_tempo_bpm:.4g}", f"{beat.provenance.seed}"]
        return " · ".join([*words, "edited"] if beat.provenance.edited else words)


def keep_take(take: Take, settings: Mapping[str, Any]) -> KeptTake:
    """Put a take on deck and remember it; the oldest of more than eight is forgotten.

    A page that calls this calls `write_down` at its end: a disk can keep a beat waiting.
    """
    number = st.session_state.get(_NUMBER, 0) + 1
    kept = KeptTake(number, take, dict(settings))
    st.session_state[_NUMBER] = number
    st.session_state[_TAKES] = (*kept_takes(), kept)[-TAKES_KEPT:]
    st.session_state[ON_DECK] = number
    st.session_state.setdefault(_UNWRITTEN, []).append(kept)
    return kept


def history() -> History | None:
    """This session's takes on disk; None before the first."""
    known = st.session_state.get(SESSION) or st.query_params.get(SESSION)
    try:
        return History(Library.open().home, known) if known else None
    except DigitalDJError:
        return None  # a link that was altered: another session begins with the next take


def write_down() -> None:
    """Keep on disk what was put on deck, and done to it by hand, since the last time."""
    for kept in st.session_state.pop(_UNWRITTEN, ()):
        _write_down(kept)
    _note_edits()


def _write_down(kept: KeptTake) -> None:
    """Keep a take on disk; where that fails it is still there until the page is left."""
    past = history()
    try:
        if past is None:
            st.session_state[SESSION] = new_session_id()
            past = History(Library.open().home, st.session_state[SESSION])
        beat, notes = kept.take.beat, kept.take.notes
        how = str(beat.provenance.settings.get("shape", "generate"))
        past.add(beat, kept.settings, how, notes)
    except DigitalDJError:
        return
    st.session_state[SESSION] = st.query_params[SESSION] = past.folder.name


def _note_edits() -> None:
    noted: dict[int, Any] = st.session_state.setdefault(_NOTED, {})
    for number in noted.keys() - {kept.number for kept in kept_takes()}:
        del noted[number]
    for kept in kept_takes():
        edit = edit_of(kept.take.beat, kept.slot)
        if edit == noted.get(kept.number):
            continue
        past = history()
        try:
            if past is not None:
                past.note_edit(kept.number, edit)
        except DigitalDJError:
            continue
        noted[kept.number] = edit


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


def bring_back() -> bool:
    """After a reload: the last takes of the session that the link names, if there are any."""
    if _TAKES in st.session_state:
        if SESSION in st.session_state:  # another page's link has dropped it
            st.query_params[SESSION] = st.session_state[SESSION]
        return False
    past = history()
    takes = past.takes() if past else ()
    st.session_state[_TAKES] = tuple(
        KeptTake(take.number, Take(take.beat, take.notes), take.settings)
        for take in takes[-TAKES_KEPT:]
    )
    if takes:
        st.session_state[SESSION] = past.folder.name
        st.session_state[_NUMBER] = st.session_state[ON_DECK] = takes[-1].number
    for kept, take in zip(kept_takes(), takes[-TAKES_KEPT:], strict=True):
        if take.edit is not None:
            bring_back_edit(kept.take.beat, kept.slot, take.edit)
            st.session_state.setdefault(_NOTED, {})[kept.number] = dict(take.edit)
    return bool(takes)


def call_back(past: PastTake) -> KeptTake:
    """Put a take of this session on deck again, as it was edited."""
    for kept in kept_takes():
        if kept.number == past.number:
            st.session_state[ON_DECK] = kept.number
            return kept
    kept = keep_take(Take(past.beat, past.notes), past.settings)
    if past.edit is not None:
        bring_back_edit(past.beat, kept.slot, past.edit)
    return kept


def kept_takes() -> tuple[KeptTake, ...]:
    """The takes of this session, oldest first."""
    return st.session_state.get(_TAKES, ())


def take_on_deck() -> KeptTake | None:
    """The take a DJ chose, else the latest, or None before the first."""
    takes = kept_takes()
    chosen = [kept for kept in takes if kept.number == st.session_state.get(ON_DECK)]
    return (chosen or list(takes[-1:]) or [None])[0]
