"""A beat on its way to the browser and an edit on its way back, to the bit and in few bytes.

To the browser, a hit is `[onset, lane, velocity, note, duration, condition]`, shorter where its end
says nothing new. Onsets and durations are counted in ticks if that is exact, else in quarter notes.

From the browser, a hit that was left alone is its place in the original beat; a changed one is
`[place, onset_quarters, velocity]` and a new one `[-1, onset_quarters, velocity, lane]`. With
another condition than it had, it is `[place, onset_quarters, velocity, lane, condition]`, null for
none.
What was not touched is therefore the very same `Hit`, with everything the browser never sees.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dj_core.errors import BeatError
from dj_core.files.beat_json import condition_from_json, condition_to_json
from dj_core.files.storage import sha256_of
from dj_core.music.as_played import play_seed
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS, general_midi_note
from dj_ui.grid import steps_of, summary

TICKS_PER_QUARTER = 480  # what MIDI files count in here; floats where a beat is finer
MOST_HITS = 50_000  # of an edited beat; real files end at 42,000 events
NEW = -1


def beat_id(beat: Beat) -> str:
    """A short name for what a beat sounds like: equal for equal music, whatever its title."""
    own = beat.lane_lengths
    return _music_id(beat.hits, beat.bars, beat.meter, beat.playing_tempo_bpm, own)


@functools.lru_cache(maxsize=64, typed=True)
def _music_id(
    hits: tuple[Hit, ...],
    bars: int,
    meter: Meter,
    tempo_bpm: float,
    lane_lengths: tuple[tuple[int, float], ...],
) -> str:
    """A page asks some twenty times as it is drawn, mostly for the same few beats."""
    return sha256_of(repr((hits, bars, meter, tempo_bpm, lane_lengths)).encode())[:16]


def beat_payload(beat: Beat) -> dict[str, Any]:
    """The beat as JSON-able values; `unpackBeat` in edits.js reads it."""
    steps = steps_of(beat)
    ticks = TICKS_PER_QUARTER if _fits_ticks(beat) else 1
    return {
        "id": beat_id(beat),
        "tempo_bpm": beat.playing_tempo_bpm,
        "bars": beat.bars,
        "meter": [beat.meter.numerator, beat.meter.denominator],
        "bar_quarters": beat.meter.bar_quarters,
        "steps": {
            "per_quarter": steps.per_quarter,
            "per_bar": steps.per_bar,
            "per_beat": steps.per_beat,
        },
        "summary": summary(beat),
        "ticks": ticks,
        "hits": [_packed(hit, ticks) for hit in beat.hits],
        "seed": play_seed(beat),
        "lengths": [list(length) for length in beat.lane_lengths],
    }


def beat_of_payload(edit: Mapping[str, Any], original: Beat) -> Beat:
    """`original` as a DJ changed it; `original` itself where nothing is different.

    Args:
        edit: {'tempo_bpm': number, 'hits': see above, 'lengths': [[lane, quarters], …] where they
            are others}, from a browser and therefore checked.
        original: the beat whose payload was sent.

    Raises:
        BeatError: the edit is no edit of this beat, or describes a beat that cannot be.
    """
    rows, tempo_bpm = edit.get("hits"), edit.get("tempo_bpm")
    if not isinstance(rows, list) or len(rows) > MOST_HITS or not _is_number(tempo_bpm):
        raise BeatError("This edit cannot be read. Undo it, or load the beat again.")
    hits = tuple(_edited_hit(row, original) for row in rows)
    lengths = _edited_lengths(edit.get("lengths"), original)
    same_tempo = tempo_bpm == original.playing_tempo_bpm
    same_lengths = lengths == original.lane_lengths
    if same_tempo and same_lengths and rows == list(range(len(original.hits))):
        return original
    return replace(
        original,
        hits=hits,
        tempo_bpm=original.tempo_bpm if same_tempo else float(tempo_bpm),
        provenance=replace(original.provenance, edited=True),
        lane_lengths=lengths,
    )


# -- to the browser ------------------------------------------------------------------------------


def _fits_ticks(beat: Beat) -> bool:
    """Whether every time of `beat` comes back from whole ticks as the same float."""
    times = [hit.onset_quarters for hit in beat.hits]
    times += [hit.duration_quarters for hit in beat.hits if hit.duration_quarters is not None]
    return all(round(time * TICKS_PER_QUARTER) / TICKS_PER_QUARTER == time for time in times)


def _packed(hit: Hit, ticks: int) -> list[Any]:
    note: int | None = general_midi_note(hit.drum, hit.source_note)
    if note == hit.drum.note:
        note = None  # the table of drums, which the browser has, says it
    row: list[Any] = [_scaled(hit.onset_quarters, ticks), hit.lane, hit.velocity]
    if hit.condition:
        lasts = hit.duration_quarters
        duration = None if lasts is None else _scaled(lasts, ticks)
        return [*row, note, duration, condition_to_json(hit.condition)]
    if hit.duration_quarters is not None:
        return [*row, note, _scaled(hit.duration_quarters, ticks)]
    return row if note is None else [*row, note]


def _scaled(quarters: float, ticks: int) -> float | int:
    return quarters if ticks == 1 else round(quarters * ticks)


# -- from the browser ----------------------------------------------------------------------------


def _edited_hit(row: object, original: Beat) -> Hit:
    if _is_whole(row) and 0 <= row < len(original.hits):
        return original.hits[row]
    match row:
        case [place, onset, velocity] if (
            _is_whole(place)
            and 0 <= place < len(original.hits)
            and _is_number(onset)
            and _is_whole(velocity)
        ):
            hit = original.hits[place]
            return replace(hit, onset_quarters=float(onset), velocity=velocity)
        case [place, onset, velocity, lane] if (
            place == NEW and _is_number(onset) and _is_whole(velocity) and _is_whole(lane)
        ):
            return Hit(float(onset), lane, velocity)
        case [place, onset, velocity, lane, told] if (
            _is_whole(place)
            and NEW <= place < len(original.hits)
            and _is_number(onset)
            and _is_whole(velocity)
            and _is_whole(lane)
        ):
            condition = None if told is None else condition_from_json(told)
            if place == NEW:
                return Hit(float(onset), lane, velocity, condition=condition)
            hit = original.hits[place]
            return replace(hit, onset_quarters=float(onset), velocity=velocity, condition=condition)
    raise BeatError(
        f"An edited hit is a place, or a place with its onset and velocity; got {row!r}."
    )


def _edited_lengths(told: object, original: Beat) -> tuple[tuple[int, float], ...]:
    if told is None:
        return original.lane_lengths
    if isinstance(told, list) and len(told) <= len(DRUMS):
        lengths = tuple((row[0], float(row[1])) for row in told if _is_length(row))
        if len(lengths) == len(told):
            return tuple(sorted(lengths))
    raise BeatError(f"A drum's own length is a lane and quarters; got {told!r}.")


def _is_length(row: object) -> bool:
    return isinstance(row, list) and len(row) == 2 and _is_whole(row[0]) and _is_number(row[1])


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    """A number of a sane size; comparing also refuses NaN, and whole numbers no float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9
