"""Makes a set from beats and a model: orders them, generates missing beats and fills."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from dj_core.errors import GenerationError, SetError
from dj_core.models.request import LEVELS, BeatModel, Feel, GenerationRequest
from dj_core.music.beat import DEFAULT_TEMPO_BPM, Beat, Meter
from dj_core.music.genres import MOST_ENERGY, is_dance, typical_tempo_bpm
from dj_core.sets.bar_counts import tempo_distance
from dj_core.sets.set_plan import (
    Entry,
    SetList,
    SetSettings,
    energy_at,
    in_slot_order,
    place_of,
    plan_set,
)

LOOP_BARS, PHRASE_LOOP_BARS = 4, 8  # of a beat that fills a gap; of one in a dance style
DROP_ENERGY = 0.85  # of the set, 0 to 1, from which its beats are drops
FILLS_PER_BEAT = 2
TEMPO_WEIGHT = 4.0  # a beat a quarter octave off the tempo is as wrong as one with no energy at all
BATCH = 8  # requests asked for at once; progress is told in between
LARGEST_DRAW = 100_000  # seeds short enough to read out to somebody
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def build_set(
    beats: Sequence[Beat | Entry],
    settings: SetSettings,
    model: BeatModel | None = None,
    progress: Progress | None = None,
) -> SetList:
    """A whole set from beats, in one step.

    Args:
        beats: what the DJ brings, each with more that is said of it or without; may be none where
            a model can play them.
        settings: how the set shall go.
        model: fills gaps and plays fills; None where all beats are there and fills are not wanted.
        progress: told about the model's work.

    Raises:
        SetError: nothing to play, or more beats than fit.
        GenerationError: the model cannot play what the set needs.
    """
    brought = [beat if isinstance(beat, Entry) else Entry(beat) for beat in beats]
    entries = order_entries(brought, settings)
    if any(entry.beat is None for entry in entries):
        if model is None:
            raise SetError(
                f"The set has {len(entries)} places and {len(beats)} beats. Bring more beats, or "
                "choose a model to play them."
            )
        entries = fill_gaps(entries, settings, model, progress)
    if settings.fills and model is not None:
        entries = add_fills(entries, settings, model, progress)
    if model is not None:
        entries = add_roles(entries, settings, model, progress)
    return plan_set(entries, settings)


def order_entries(entries: Sequence[Entry], settings: SetSettings) -> tuple[Entry, ...]:
    """Entries in the set's order, with gaps where the set has more places than there are entries.

    Unless the order is kept, each entry gets the place whose energy and planned tempo suit it
    best, all places decided together (the assignment problem). Without a planned tempo, beats go
    from slow to fast, in a set that falls from fast to slow.

    Raises:
        SetError: no place at all, or more entries than places.
    """
    places = settings.beats or len(entries)
    if not places:
        raise SetError("A set needs beats. Choose some, or say how many a model shall play.")
    if len(entries) > places:
        raise SetError(
            f"The set has {places} places, but {len(entries)} beats are given. "
            "Take some out or ask for more places."
        )
    if not entries:
        return (Entry(None),) * places
    if settings.keep_order:
        chosen = [round(place_of(n, len(entries)) * (places - 1)) for n in range(len(entries))]
        numbers: list[int | None] = [None] * places
        for number, place in enumerate(chosen):
            numbers[place] = number
        return in_slot_order(entries, numbers)
    return in_slot_order(entries, _assigned(entries, places, settings))


def fill_gaps(
    entries: Sequence[Entry],
    settings: SetSettings,
    model: BeatModel,
    progress: Progress | None = None,
) -> tuple[Entry, ...]:
    """Every gap with a beat the model plays, in the genre of its neighbour and as dense and loud
    as the set's energy asks.

    Raises:
        GenerationError: no such genre, or a tempo or length the model cannot play.
    """
    draw = random.Random(f"{settings.seed} gaps")
    genres = _gap_genres(entries, settings, model, draw)
    gaps = [number for number, entry in enumerate(entries) if entry.beat is None]
    requests = []
    for number in gaps:
        place = place_of(number, len(entries))
        genre = genres[number]
        requests.append(
            GenerationRequest(
                genre=genre,
                tempo_bpm=settings.planned_tempo_bpm(place)
                or _neighbour_tempo_bpm(entries, number)
                or typical_tempo_bpm(genre)
                or DEFAULT_TEMPO_BPM,
                bars=PHRASE_LOOP_BARS if is_dance(genre) else LOOP_BARS,
                seed=draw.randrange(1, LARGEST_DRAW),
                feel=_feel(model, genre, energy_at(settings.energy, place)),
            )
        )
    beats = _played(model, requests, "Playing beats", progress)
    filled = dict(zip(gaps, beats, strict=True))
    return tuple(
        replace(entry, beat=filled[number]) if number in filled else entry
        for number, entry in enumerate(entries)
    )


def add_fills(
    entries: Sequence[Entry],
    settings: SetSettings,
    model: BeatModel,
    progress: Progress | None = None,
) -> tuple[Entry, ...]:
    """Every entry with fills of one bar in its genre, meter and tempo.

    A beat whose genre or meter the model does not play borrows fills of any genre, or goes
    without. A model that knows no fills changes nothing.
    """
    if not model.has_feel:
        return tuple(entries)
    planned = plan_set(entries, replace(settings, minutes=None))
    draw = random.Random(f"{settings.seed} fills")
    wanted: list[int] = []
    requests: list[GenerationRequest] = []
    for number, slot in enumerate(planned.slots):
        seeds = [draw.randrange(1, LARGEST_DRAW) for _ in range(FILLS_PER_BEAT)]
        if slot.entry.fills or not _plays(model, slot.beat.meter):
            continue
        genre = slot.beat.genre if slot.beat.genre in model.genres else ""
        for seed in seeds:
            wanted.append(number)
            requests.append(
                GenerationRequest(
                    genre=genre,
                    tempo_bpm=slot.tempo_bpm,
                    meter=slot.beat.meter,
                    bars=1,
                    seed=seed,
                    feel=Feel(kind="fill"),
                )
            )
    fills: dict[int, tuple[Beat, ...]] = {}
    for number, fill in zip(
        wanted, _played(model, requests, "Playing fills", progress), strict=True
    ):
        if fill.hits:
            fills[number] = (*fills.get(number, ()), fill)
    return tuple(
        replace(entry, fills=fills[number]) if number in fills else entry
        for number, entry in enumerate(entries)
    )


def add_roles(
    entries: Sequence[Entry],
    settings: SetSettings,
    model: BeatModel,
    progress: Progress | None = None,
) -> tuple[Entry, ...]:
    """Every entry in a dance style that the model plays, with a phrase for each section's role.

    They decide which drums enter and leave in intros, breaks and outros; see `arrangement`.
    """
    wanted = (*(("intro", "outro") * settings.mix_ends), *(("break",) * settings.breakdowns))
    if not model.has_feel or not wanted:
        return tuple(entries)
    planned = plan_set(entries, replace(settings, minutes=None))
    draw = random.Random(f"{settings.seed} roles")
    seeds = [draw.randrange(1, LARGEST_DRAW) for _ in planned.slots]
    asked = [
        (
            number,
            GenerationRequest(
                genre=slot.beat.genre,
                tempo_bpm=slot.tempo_bpm,
                meter=slot.beat.meter,
                bars=PHRASE_LOOP_BARS,
                seed=seeds[number],
                feel=Feel(role=role),
            ),
        )
        for number, slot in enumerate(planned.slots)
        for role in wanted
        if is_dance(slot.beat.genre)
        and slot.beat.genre in model.genres
        and not slot.entry.roles
        and _plays(model, slot.beat.meter)
    ]
    played = _played(model, [request for _, request in asked], "Playing intros", progress)
    roles: dict[int, tuple[Beat, ...]] = {}
    for (number, _), beat in zip(asked, played, strict=True):
        roles[number] = (*roles.get(number, ()), beat)
    return tuple(
        replace(entry, roles=roles[number]) if number in roles else entry
        for number, entry in enumerate(entries)
    )


def beat_power(beat: Beat) -> float:
    """How hard a beat works: its strokes' squared velocities (0 to 1 each) per second."""
    return math.fsum((hit.velocity / 127) ** 2 for hit in beat.hits) / beat.duration_seconds


# -- order ---------------------------------------------------------------------------------------


def _assigned(entries: Sequence[Entry], places: int, settings: SetSettings) -> list[int | None]:
    """The entry for each place, the sum of all misfits being the least possible."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    beats = [entry.own_beat for entry in entries]
    energies = _ranks([beat_power(beat) for beat in beats])
    paces = _ranks([beat.playing_tempo_bpm for beat in beats])
    misfit = np.zeros((len(entries), places))
    for place in range(places):
        where = place_of(place, places)
        tempo = settings.planned_tempo_bpm(where)
        for number, beat in enumerate(beats):
            pace = 1 - where if settings.energy == "fall" else where
            away = tempo_distance(beat, tempo) if tempo else abs(paces[number] - pace) / 2
            misfit[number, place] = TEMPO_WEIGHT * away
            if settings.energy != "steady":
                misfit[number, place] += abs(energies[number] - energy_at(settings.energy, where))
    rows, columns = linear_sum_assignment(misfit)
    order: list[int | None] = [None] * places
    for row, column in zip(rows, columns, strict=True):
        order[column] = int(row)
    return order


def _ranks(values: Sequence[float]) -> list[float]:
    """Each value's place among all, 0 (least) to 1; equal values share one."""
    ordered = sorted(set(values))
    return [place_of(ordered.index(value), len(ordered)) for value in values]


# -- asking a model ------------------------------------------------------------------------------


def _gap_genres(
    entries: Sequence[Entry], settings: SetSettings, model: BeatModel, draw: random.Random
) -> dict[int, str]:
    """A genre for each gap: one asked for, else the nearest beat's, else one for the whole set."""
    unknown = [genre for genre in settings.genres if genre not in model.genres]
    if unknown:
        raise GenerationError(
            f"{model.name} does not play {', '.join(unknown)}. "
            f"It plays: {', '.join(model.genres) or 'no genres'}."
        )
    dance = [genre for genre in model.genres if is_dance(genre)]
    fallback = draw.choice(dance or model.genres) if model.genres else ""
    known = {
        number: entry.beat.genre
        for number, entry in enumerate(entries)
        if entry.beat is not None and entry.beat.genre in model.genres
    }
    genres = {}
    for number, entry in enumerate(entries):
        if entry.beat is not None:
            continue
        if settings.genres:  # in stretches, one genre after another
            index = number * len(settings.genres) // len(entries)
            genres[number] = settings.genres[index]
        elif known:
            genres[number] = known[min(known, key=lambda other: abs(other - number))]
        else:
            genres[number] = fallback
    return genres


def _neighbour_tempo_bpm(entries: Sequence[Entry], number: int) -> float | None:
    """The tempo between the nearest beats on either side of a gap; None where there are none."""
    tempos = {
        other: entry.beat.playing_tempo_bpm
        for other, entry in enumerate(entries)
        if entry.beat is not None
    }
    before = max((other for other in tempos if other < number), default=None)
    after = min((other for other in tempos if other > number), default=None)
    if before is None or after is None:
        nearest = before if after is None else after
        return None if nearest is None else tempos[nearest]
    share = (number - before) / (after - before)
    return round(tempos[before] + (tempos[after] - tempos[before]) * share, 2)


def _feel(model: BeatModel, genre: str, energy: float) -> Feel:
    """Denser and louder with more energy, for models that know how; a role in dance styles."""
    if not model.has_feel:
        return Feel()
    if is_dance(genre):
        role = "drop" if energy >= DROP_ENERGY else "groove"
        return Feel(role=role, energy=min(MOST_ENERGY, 1 + int(energy * MOST_ENERGY)))
    level = min(LEVELS, 1 + int(energy * LEVELS))
    return Feel(density=level, loudness=level)


def _plays(model: BeatModel, meter: Meter) -> bool:
    """Whether the model can play a fill in this meter."""
    from dj_core.music.step_grid import METERS

    return meter in METERS


def _played(
    model: BeatModel,
    requests: Sequence[GenerationRequest],
    doing: str,
    progress: Progress | None,
) -> list[Beat]:
    """A beat per request, a few at a time so that progress can be told."""
    beats: list[Beat] = []
    for first in range(0, len(requests), BATCH):
        takes = model.generate_all(requests[first : first + BATCH])
        beats += [take.beat for take in takes]
        if progress:
            progress(doing, len(beats), len(requests))
    return beats
