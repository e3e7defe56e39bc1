"""Beats as lossless JSON, for the crate, exported files and MIDI text events.

Written compactly: a hit is [onset_quarters, lane name, velocity, duration_quarters or null,
source note or null], and what its condition asks for besides, where it has one. Python writes the
shortest decimal that reads back as the same float, so onsets come back to the bit. Lanes go by
name: should the table of drums ever be put in another order, old beats still play the same drums.

Reading trusts nothing: every type and range is checked, for a crate may come from a stranger.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from dj_core.errors import BeatError
from dj_core.files.storage import sha256_of
from dj_core.music.beat import Beat, Hit, Meter, Provenance
from dj_core.music.conditions import Condition
from dj_core.music.drums import DRUMS, LANE

MAX_HITS = 200_000  # as many as a MIDI file may hold
MAX_TEXT = 2_000  # characters of a title, a genre, a source
LARGEST_NUMBER = 1e9  # of quarters and tempos; `Beat` is stricter
LARGEST_SEED = 2**63 - 1
MAX_SETTINGS = 20_000  # characters of a provenance's settings, written out


def beat_to_json(beat: Beat) -> dict[str, Any]:
    """The beat as values that `json` can write."""
    lengths = lane_lengths_to_json(beat)
    return {
        "bars": beat.bars,
        "meter": str(beat.meter),
        "tempo_bpm": None if beat.tempo_bpm is None else float(beat.tempo_bpm),
        "genre": beat.genre,
        "title": beat.title,
        "provenance": provenance_to_json(beat.provenance),
        "hits": [
            [
                float(hit.onset_quarters),
                hit.drum.name,
                hit.velocity,
                None if hit.duration_quarters is None else float(hit.duration_quarters),
                hit.source_note,
                *([condition_to_json(hit.condition)] if hit.condition else []),
            ]
            for hit in beat.hits
        ],
        **({"lane_lengths": lengths} if lengths else {}),
    }


def beat_from_json(value: object) -> Beat:
    """The beat that `beat_to_json` wrote. Raises BeatError for anything else."""
    told = _mapping(value, "A beat")
    hits = told.get("hits")
    if not isinstance(hits, list) or len(hits) > MAX_HITS:
        raise BeatError(f"A beat's hits are a list of up to {MAX_HITS:,}; got {shown(hits)}.")
    tempo = told.get("tempo_bpm")
    return Beat(
        hits=tuple(_hit(hit) for hit in hits),
        bars=_whole(told.get("bars"), "bars"),
        tempo_bpm=None if tempo is None else _number(tempo, "tempo_bpm"),
        meter=Meter.parse(_text(told.get("meter"), "meter")),
        genre=_text(told.get("genre"), "genre"),
        title=_text(told.get("title"), "title"),
        provenance=provenance_from_json(told.get("provenance")),
        lane_lengths=lane_lengths_from_json(told.get("lane_lengths", {})),
    )


def lane_lengths_to_json(beat: Beat) -> dict[str, float]:
    """How long the drums are that have a length of their own, in quarters, by name."""
    return {DRUMS[lane].name: float(quarters) for lane, quarters in beat.lane_lengths}


def lane_lengths_from_json(value: object) -> tuple[tuple[int, float], ...]:
    """The lengths that `lane_lengths_to_json` wrote. Raises BeatError for anything else."""
    told = _mapping(value, "Lengths of drums")
    return tuple((_lane(drum), _number(quarters, "length")) for drum, quarters in told.items())


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """What a condition asks for, by name; what is usual is left out."""
    return {
        field.name: getattr(condition, field.name)
        for field in fields(condition)
        if getattr(condition, field.name) != field.default
    }


def condition_from_json(value: object) -> Condition:
    """The condition that `condition_to_json` wrote. Raises BeatError for anything else."""
    told = _mapping(value, "A condition")
    readers: dict[type, Callable[[object, str], Any]] = {str: _text, int: _whole, float: _number}
    kinds = {field.name: type(field.default) for field in fields(Condition)}
    if unknown := told.keys() - kinds.keys():
        raise BeatError(
            f"A condition has {', '.join(kinds)}; got {shown(min(unknown))}. Leave it out."
        )
    return Condition(**{name: readers[kinds[name]](told[name], name) for name in told})


def provenance_to_json(provenance: Provenance) -> dict[str, Any]:
    """The provenance as values that `json` can write; what is unknown is left out."""
    # a seed of 0 is a seed
    return {name: value for name, value in vars(provenance).items() if value or type(value) is int}


def provenance_from_json(value: object) -> Provenance:
    """The provenance that `provenance_to_json` wrote. Raises BeatError for anything else."""
    told = _mapping(value, "A provenance")
    texts = {
        name: _text(told[name], name)
        for name in ("source", "model", "model_sha256", "corpus")
        if told.get(name) is not None
    }
    settings = _mapping(told.get("settings", {}), "A provenance's settings")
    if len(canonical_json(settings)) > MAX_SETTINGS:
        raise BeatError(f"A provenance's settings have over {MAX_SETTINGS:,} characters.")
    seed = None if told.get("seed") is None else _whole(told["seed"], "seed")
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise BeatError(f"A seed is 0 to {LARGEST_SEED}; got {shown(seed)}.")
    edited = told.get("edited") is True
    return Provenance(**texts, seed=seed, settings=settings, edited=edited)


def canonical_json(value: object) -> str:
    """The one way to write a value: sorted, without spaces. Raises BeatError for no JSON value."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BeatError(f"This cannot be written as JSON: {error}.") from error


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value, without NaN and infinity. Raises BeatError for anything else."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, huge numbers
        raise BeatError(f"This is no JSON we wrote: {error}.") from error


def beat_key(beat: Beat) -> str:
    """The SHA-256 of the beat as JSON: the same for the same beat, on every machine."""
    return sha256_of(canonical_json(beat_to_json(beat)).encode())


# -- checking ------------------------------------------------------------------------------------


def _hit(value: object) -> Hit:
    if not isinstance(value, list) or len(value) not in (5, 6):
        raise BeatError(
            "A hit is written as [onset, drum, velocity, duration, source note] and its condition, "
            f"if it has one; got {shown(value)}."
        )
    onset, drum, velocity, duration, source_note = value[:5]
    if duration is not None:
        duration = _number(duration, "duration")
        if duration < 0:
            raise BeatError(f"A hit lasts 0 quarters or longer; got {duration}.")
    return Hit(
        onset_quarters=_number(onset, "onset"),
        lane=_lane(drum),
        velocity=_whole(velocity, "velocity"),
        duration_quarters=duration,
        source_note=None if source_note is None else _whole(source_note, "source note"),
        condition=condition_from_json(value[5]) if value[5:] else None,
    )


def _lane(drum: object) -> int:
    if not isinstance(drum, str) or drum not in LANE:
        raise BeatError(f"No drum is called {shown(drum)}. Drums: {', '.join(LANE)}.")
    return LANE[drum]


def _mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BeatError(f"{what} is written as names and values; got {shown(value)}.")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BeatError(f"{what} is a text of up to {MAX_TEXT:,} characters; got {shown(value)}.")
    return value


def _whole(value: object, what: str) -> int:
    if type(value) is not int:
        raise BeatError(f"{what} is a whole number; got {shown(value)}.")
    return value


def _number(value: object, what: str) -> float:
    # NaN neither
    if not (type(value) is int or type(value) is float) or not abs(value) <= LARGEST_NUMBER:
        raise BeatError(f"{what} is a number of up to {LARGEST_NUMBER:g}; got {shown(value)}.")
    return float(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def shown(value: object) -> str:
    """A value from elsewhere for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
