"""Names of a set's parts, on screen and in file names."""

from __future__ import annotations

import re

from dj_core.files.file_names import one_line, origin_words, safe_stem
from dj_core.music.genres import genre_label
from dj_core.sets.set_plan import SetList

_TEMPO = re.compile(r"[ _-]*\b\d+(?:[.-]\d+)? ?bpm\b|_\d+(?:-\d+)?bpm(?=_|$)", re.IGNORECASE)


def slot_name(planned: SetList, number: int) -> str:
    """The name of a slot's beat: its title, else its genre, else 'Beat'; on one line."""
    beat = planned.slots[number].beat
    return one_line(beat.title) or slot_genre(planned, number) or "Beat"


def slot_genre(planned: SetList, number: int) -> str:
    """The genre of a slot's beat as a DJ reads it; '' where nobody knows."""
    genre = planned.slots[number].beat.genre
    return one_line(genre_label(genre)) if genre else ""


def slot_origin(planned: SetList, number: int) -> str:
    """What made a slot's beat: 'model groove, seed 7'; '' where no model did."""
    return origin_words(planned.slots[number].beat.provenance)


def slot_title(planned: SetList, number: int) -> str:
    """A slot's number, from 1, and name: '03 Loft shuffle'."""
    return f"{number + 1:02} {slot_name(planned, number)}"


def slot_stem(planned: SetList, number: int) -> str:
    """A file name without ending: '03_house_Loft-shuffle_124bpm', unique in the set."""
    slot = planned.slots[number]
    # files' names often hold a tempo, which need not be the one in the set
    name = _TEMPO.sub("", slot_name(planned, number))
    parts = [f"{number + 1:02}"]
    genre = slot_genre(planned, number)
    if genre and genre.lower() not in name.lower():
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
