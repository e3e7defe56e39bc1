"""What a set's parts are called, on screen and as files."""

from __future__ import annotations

import re

from dj_core.genres import genre_label
from dj_core.naming import safe_stem
from dj_core.setlist.plan import SetList

_TEMPO = re.compile(r"[ _-]*\b\d+(?:[.-]\d+)? ?bpm\b|_\d+(?:-\d+)?bpm(?=_|$)", re.IGNORECASE)


def slot_name(planned: SetList, number: int) -> str:
    """The name of a slot's beat: its title, else its genre, else 'Beat'."""
    beat = planned.slots[number].beat
    return beat.title or genre_label(beat.genre) or "Beat"


def slot_title(planned: SetList, number: int) -> str:
    """A slot's number, from 1, and name: '03 Loft shuffle'."""
    return f"{number + 1:02} {slot_name(planned, number)}"


def slot_stem(planned: SetList, number: int) -> str:
    """A file name without ending: '03_house_Loft-shuffle_124bpm', unique in the set."""
    slot = planned.slots[number]
    # files' names often hold a tempo, which need not be the one in the set
    name = _TEMPO.sub("", slot_name(planned, number))
    parts = [f"{number + 1:02}"]
    if slot.beat.genre and genre_label(slot.beat.genre).lower() not in name.lower():
        parts.append(slot.beat.genre)
    parts.append(safe_stem(name)[:40].rstrip("-_"))
    return "_".join([*map(safe_stem, parts), tempo_word(slot.tempo_bpm)])


def set_stem(planned: SetList) -> str:
    """A file name without ending for the whole set: 'Friday_122-132bpm'."""
    tempos = [slot.tempo_bpm for slot in planned.slots]
    low, high = round(min(tempos)), round(max(tempos))
    word = f"{low}bpm" if low == high else f"{low}-{high}bpm"
    return f"{safe_stem(planned.settings.name)}_{word}"


def tempo_word(tempo_bpm: float) -> str:
    """A tempo as part of a file name, without a point: '124bpm', '122-5bpm'."""
    return f"{tempo_bpm:.5g}".replace(".", "-") + "bpm"
