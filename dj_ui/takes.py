"""What a session remembers of Generate: the last takes, each with the settings that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dj_core.genres import genre_label
from dj_core.sampling import Take

TAKES_KEPT = 8
_TAKES, _NUMBER = "dj_takes", "dj_take_count"
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
    def name(self) -> str:
        """What the display shows: 'Take 3 · Jazz', or the model where it knows no genre."""
        genre = self.take.beat.genre
        return f"Take {self.number} · {genre_label(genre) if genre else self.settings['model']}"

    @property
    def label(self) -> str:
        """What the row of takes shows: number, tempo and seed."""
        beat = self.take.beat
        return f"{self.number} · {beat.playing_tempo_bpm:.4g} · {beat.provenance.seed}"


def keep_take(take: Take, settings: Mapping[str, Any]) -> KeptTake:
    """Put a take on deck and remember it; the oldest of more than eight is forgotten."""
    number = st.session_state.get(_NUMBER, 0) + 1
    kept = KeptTake(number, take, dict(settings))
    st.session_state[_NUMBER] = number
    st.session_state[_TAKES] = (*kept_takes(), kept)[-TAKES_KEPT:]
    st.session_state[ON_DECK] = number
    return kept


def kept_takes() -> tuple[KeptTake, ...]:
    """The takes of this session, oldest first."""
    return st.session_state.get(_TAKES, ())


def take_on_deck() -> KeptTake | None:
    """The take a DJ chose, else the latest, or None before the first."""
    takes = kept_takes()
    chosen = [kept for kept in takes if kept.number == st.session_state.get(ON_DECK)]
    return (chosen or list(takes[-1:]) or [None])[0]
