"""Beats for a track: in a style of choice or the nearest, with the track's swing and accents.

template of the track --log odds of each cell--> groove model, more takes than are wanted
    --the track's swing, its accents in the velocities--> likeness --> the best of them
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from dj_core.errors import GenerationError
from dj_core.listening.groove_template import STEPS_PER_BEAT, GrooveTemplate
from dj_core.listening.listening import Listening
from dj_core.matching.accents import (
    BAND_OF_LANE,
    HEARD_SWING_STROKES,
    LATE_FOR_SWING,
    Likeness,
    accents_of,
    correlation,
    likeness,
)
from dj_core.models.request import BeatModel, GenerationRequest
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Hit
from dj_core.music.composer import PHRASE_BARS, role_of_phrase, written_genres, written_phrases
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.genres import GENRE, genre_label
from dj_core.music.step_grid import METERS
from dj_core.shaping.attributes import RANGES, with_swing
from dj_core.shaping.playing import guide_for, request_like, shaper, with_played

MOST_TAKES = 16
PLAYED_FOR_ONE = 2  # takes that are played for each that is wanted
_LEANING = 3.0  # log odds by which a cell is likelier where the track sounds as loud as it can
_LEAST_ACCENT, _MOST_ACCENT = 0.72, 1.18  # by which a velocity is multiplied
_SOUNDING = 0.45  # a level from which the track has a drum of its own there
_NEAR_TEMPO_OCTAVES = 0.04
_WRITTEN = 6  # phrases of a style that are compared with a track


@dataclass(frozen=True)
class Match:
    """A beat for a track, and how well it fits."""

    beat: Beat
    likeness: Likeness


def nearest_genre(heard: Listening) -> str:
    """The dance style whose tempo and written phrases are nearest to a track.

    Raises:
        GenerationError: no beat was found in the track.
    """
    groove, tempo = _believed(heard)
    away = _octaves_away(tempo)
    least = min(away.values())
    scores = {}
    for genre, octaves in away.items():
        if octaves <= least + _NEAR_TEMPO_OCTAVES:
            level, swing = _usual(genre)
            apart = abs(swing - groove.swing_percent) if groove.swing_strokes else 0.0
            alike = correlation(level, groove.level)
            scores[genre] = alike - 4 * octaves - 0.02 * min(apart, 12)
    return max(scores, key=lambda genre: scores[genre])


def nearest_style(tempo_bpm: float) -> str:
    """The dance style nearest to a tempo, where nothing else is known; of several the first."""
    away = _octaves_away(tempo_bpm)
    return min(away, key=lambda genre: away[genre])


def _octaves_away(tempo_bpm: float) -> dict[str, float]:
    """How far a tempo is from every dance style's usual ones; 0 within them."""
    away = {}
    for genre in written_genres():
        low, high = GENRE[genre].tempo_range_bpm
        away[genre] = max(0.0, math.log2(low / tempo_bpm), math.log2(tempo_bpm / high))
    return away


@functools.cache
def _usual(genre: str) -> tuple[np.ndarray, float]:
    """Mean accents of a style's written grooves, and its usual swing."""
    phrases = written_phrases(genre).phrases
    grooves = (beat for beat in phrases if role_of_phrase(beat) in ("groove", "drop"))
    level = np.mean([accents_of(beat) for beat in islice(grooves, _WRITTEN)], axis=0)
    return level, GENRE[genre].swing.hat


def takes_for(
    heard: Listening,
    model: BeatModel,
    *,
    genre: str = "",
    count: int = 4,
    seed: int = 1,
    bars: int = PHRASE_BARS,
    around: bool = False,
) -> tuple[Match, ...]:
    """Takes for a track, the most alike first.

    Args:
        heard: what was heard in it.
        model: a groove model.
        genre: a style it knows; '' for the nearest.
        count: 1 to 16.
        seed: another seed, other takes.
        bars: length of each.
        around: leave out what the track has already: a drum is silent where the track has one of
            its own band.

    Raises:
        GenerationError: no beat in the track, a meter or style the model does not play, or a
            count out of range.
    """
    groove, tempo = _believed(heard)
    if not 1 <= count <= MOST_TAKES:
        raise GenerationError(f"Ask for 1 to {MOST_TAKES} takes; got {count}.")
    if heard.meter not in METERS:
        raise GenerationError(f"A track in {heard.meter} cannot be matched. Set its bars to 4/4.")
    genre = genre or nearest_genre(heard)
    from dj_core.models.groove.infilling import play_guided

    player = shaper(model)
    empty = Beat((), bars, tempo_bpm=tempo, meter=heard.meter, genre=genre)
    steps = round(heard.meter.bar_quarters * STEPS_PER_BEAT)
    level = groove.level / np.maximum(groove.level.max(axis=1, keepdims=True), 1e-9)
    wish = _LEANING * (level - level.mean(axis=1, keepdims=True))
    if around:
        wish = np.where(groove.level > _SOUNDING, -4.0, wish)
    leaning = np.tile(wish[list(BAND_OF_LANE)].T, (bars, 1))
    guide = guide_for(empty, np.zeros((bars * steps, len(DRUMS)), bool), leaning=leaning)
    wanted = PLAYED_FOR_ONE * count
    asked: list[GenerationRequest] = [
        request_like(model, empty, seed=seed + number) for number in range(wanted)
    ]
    answers = play_guided(player, asked, [guide] * wanted, particles=1)
    found = []
    for request, answer in zip(asked, answers, strict=True):
        settings = {"shape": "match", "seed": request.seed, "genre": genre, "around": around}
        beat = with_played(empty, (), answer.beat, player, settings)
        beat = fitted(beat, groove)
        alike = likeness(beat, groove)
        if around:  # how alike it is does not depend on what it leaves to the track
            beat = replace(beat, hits=tuple(h for h in beat.hits if not _has(groove, h)))
        title = f"{genre_label(genre)} match {request.seed}"
        found.append(Match(replace(beat, title=title), alike))
    order = sorted(range(wanted), key=lambda number: -found[number].likeness.total)
    return tuple(found[number] for number in order[:count])


def _step(hit: Hit, steps: int) -> int:
    """The 16th of the bar that a stroke is meant for."""
    return int(hit.onset_quarters * STEPS_PER_BEAT + LATE_FOR_SWING) % steps


def _has(groove: GrooveTemplate, hit: Hit) -> bool:
    """Whether the track has a drum of its own where a stroke falls."""
    step = _step(hit, groove.level.shape[1])
    return bool(groove.level[BAND_OF_LANE[hit.lane], step] > _SOUNDING)


def fitted(beat: Beat, groove: GrooveTemplate) -> Beat:
    """The beat with a track's swing, and its accents in the velocities."""
    if groove.swing_strokes >= HEARD_SWING_STROKES and beat.hits:
        low, high = RANGES["swing"]
        beat = with_swing(beat, min(max(groove.swing_percent, low), high))
    steps = groove.level.shape[1]
    level = groove.level / np.maximum(groove.level.max(axis=1, keepdims=True), 1e-9)
    spread = _MOST_ACCENT - _LEAST_ACCENT
    hits: list[Hit] = []
    for hit in beat.hits:
        accent = float(level[BAND_OF_LANE[hit.lane], _step(hit, steps)])
        velocity = round(hit.velocity * (_LEAST_ACCENT + spread * accent))
        hits.append(replace(hit, velocity=min(127, max(1, velocity))))
    return replace(beat, hits=tuple(hits))


def _believed(heard: Listening) -> tuple[GrooveTemplate, float]:
    """A track's groove and tempo."""
    if heard.groove is None or heard.tempo_bpm is None:
        raise GenerationError(
            f"No beat was found in {heard.name or 'the track'}. Tap its beat on the Listen page."
        )
    return heard.groove, min(max(heard.tempo_bpm, MIN_TEMPO_BPM), MAX_TEMPO_BPM)


# --- as long as the track -----------------------------------------------------------------------


def whole_track(heard: Listening, beat: Beat) -> Beat:
    """The beat repeated from the track's first bar line to its end, section by section.

    Sections of less energy have fewer strokes; an intro and an outro have no more than kick, hats
    and cymbals, a break has no kick; a section that rises begins with a crash. The strokes lie
    where the track's bars do, so that a tempo that drifts is followed: the beat has the track's
    mean tempo, and begins at its first bar line.
    """
    _, tempo = _believed(heard)
    lines = np.array(heard.downbeats)
    bars = max(1, len(lines) - 1)
    quarters = beat.meter.bar_quarters
    energy = np.array(heard.energy[:bars] or (1.0,) * bars)
    roles = ["groove"] * bars
    starts = set()
    for section in heard.sections:
        for bar in range(section.first_bar, min(section.first_bar + section.bars, bars)):
            roles[bar] = section.role
            energy[bar] = (section.energy - 1) / 4
        if section.role in ("drop", "groove") and section.first_bar:
            starts.add(section.first_bar)
    by_bar: list[list[Hit]] = [[] for _ in range(beat.bars)]
    for hit in beat.hits:
        by_bar[min(int(hit.onset_quarters // quarters), beat.bars - 1)].append(hit)
    seconds_per_quarter = 60 / tempo
    hits: list[Hit] = []
    for bar in range(bars):
        kept = _thinned(by_bar[bar % beat.bars], roles[bar], float(energy[bar]))
        if bar in starts:
            first = bar % beat.bars * quarters
            kept = [*kept, Hit(first, LANE["crash"], 108)]
        start = float(lines[bar] - lines[0])
        length = (
            float(lines[bar + 1] - lines[bar])
            if bar + 1 < len(lines)
            else (quarters * seconds_per_quarter)
        )
        for hit in kept:
            inside = (hit.onset_quarters / quarters) % 1
            onset = (start + inside * length) / seconds_per_quarter
            hits.append(replace(hit, onset_quarters=onset))
    total = max(bars, math.ceil(max((hit.onset_quarters for hit in hits), default=0) / quarters))
    last = total * quarters
    hits = [hit for hit in hits if hit.onset_quarters < last]
    return replace(
        beat, hits=tuple(hits), bars=total, tempo_bpm=tempo, title=f"{beat.title}, whole track"
    )


def _thinned(hits: Sequence[Hit], role: str, energy: float) -> list[Hit]:
    """What a bar of a role keeps: of each drum the hardest strokes, fewer with less energy."""
    kept = list(hits)
    if role in ("intro", "outro"):
        kept = [hit for hit in kept if hit.drum.family in ("kick", "hat", "cymbal")]
    elif role == "break":
        kept = [hit for hit in kept if hit.drum.family != "kick"]
    share = 0.45 + 0.55 * min(1.0, energy * 1.4)
    chosen: list[Hit] = []
    for lane in {hit.lane for hit in kept}:
        own = sorted((hit for hit in kept if hit.lane == lane), key=lambda hit: -hit.velocity)
        chosen += own[: max(1, math.ceil(share * len(own)))]
    return chosen
