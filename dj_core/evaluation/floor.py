"""The dance floor examination: takes of every dance style beside phrases no model learned from.

    results = examine_floor(model, takes=48, first_seed=100)

Nothing is picked: the takes of a style are those of the seeds in a row, with default settings. The
written phrases of a style that are held out (`composer.written_phrases`) are the reference.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dj_core.errors import BeatError
from dj_core.evaluation.alive import Liveliness, liveliness
from dj_core.evaluation.copying import BarBank, copying
from dj_core.evaluation.judge import Judged, describe, judge
from dj_core.evaluation.style_classifier import StyleClassifier
from dj_core.models.request import BeatModel, Feel, GenerationRequest
from dj_core.music.beat import Beat, Meter
from dj_core.music.composer import (
    Phrases,
    compose,
    role_of_phrase,
    written_genres,
    written_phrases,
)
from dj_core.music.drums import LANE
from dj_core.music.genres import GENRE
from dj_core.music.idiom import bars_of

FLOOR_TAKES, FLOOR_FIRST_SEED, FLOOR_BARS = 48, 100, 8
TAKES_OF_A_SEED = 64  # that must all differ
COMPOSED_FOR_CLASSIFIER = 24  # a style, of held-out layers alone, beside the held-out phrases
TURN_BARS = (4, 8)
AT_A_TIME = 64
FOUR_FOUR = Meter()
Progress = Callable[[str, float], None]
"""Called with what is being measured and the share that is done, 0 to 1."""

_Bar = frozenset[tuple[int, str]]


@dataclass(frozen=True)
class _Style:
    """A style's takes and the phrases beside them."""

    genre: str
    takes: tuple[Beat, ...]
    learned: Phrases
    held_out: Phrases


def examine_floor(
    model: BeatModel,
    *,
    takes: int = FLOOR_TAKES,
    first_seed: int = FLOOR_FIRST_SEED,
    styles: Sequence[str] = (),
    progress: Progress = lambda what, share: None,
) -> dict[str, Any]:
    """Measure a model on the dance floor; the same takes give the same figures.

    Args:
        model: knows genres and has feel.
        takes: of eight bars, for each style.
        first_seed: of the first take; the others follow.
        styles: names; all that have written phrases and that the model knows, if none.
        progress: told how far it is.

    Returns:
        JSON-able: 'styles' with the measures of each, 'means' over them, 'written' with the same
        measures of the held-out phrases, 'recognised', 'judge', 'copying' and 'structure'.

    Raises:
        BeatError: no style to examine.
        GenerationError: the model cannot play a style.
    """
    genres = [g for g in styles or written_genres() if g in model.genres]
    if not genres:
        raise BeatError("This model knows none of the styles that have written phrases.")
    known = []
    for number, genre in enumerate(genres):
        progress(GENRE[genre].label, 0.8 * number / len(genres))
        known.append(_played(model, genre, takes, first_seed))
    rows = {style.genre: _alive(style.takes) for style in known}
    written = {style.genre: _alive(_grooves(style.held_out)) for style in known}
    progress("recognising styles", 0.82)
    recognised = _recognised(known)
    progress("judging", 0.88)
    judged = _judged(model, known, first_seed)
    return {
        "takes_each": takes,
        "first_seed": first_seed,
        "bars": FLOOR_BARS,
        "styles": rows,
        "means": _means(list(rows.values())),
        "written": _means(list(written.values())),
        "recognised": recognised,
        "judge": judged,
        "copying": _copied(known),
        "structure": {
            "takes": _structure([beat for style in known for beat in style.takes]),
            "written": _structure([b for style in known for b in _grooves(style.held_out)]),
        },
    }


def _played(model: BeatModel, genre: str, takes: int, first_seed: int) -> _Style:
    seeds = range(first_seed, first_seed + max(takes, 1))
    asked = [GenerationRequest(genre=genre, bars=FLOOR_BARS, seed=seed) for seed in seeds]
    beats = tuple(take.beat for take in model.generate_all(asked))
    return _Style(genre, beats, written_phrases(genre), written_phrases(genre, held_out=True))


def _grooves(phrases: Phrases) -> tuple[Beat, ...]:
    """The phrases that a style's default takes are compared with."""
    return tuple(
        beat
        for beat in phrases.phrases
        if role_of_phrase(beat) in ("groove", "drop") and beat.meter == FOUR_FOUR
    )


# --- alive ------------------------------------------------------------------------------------


def _alive(beats: Sequence[Beat]) -> dict[str, float]:
    """The measures of one style's beats."""
    lives = [liveliness(beat) for beat in beats]
    hits = [{(round(h.onset_quarters * 96), h.lane, h.velocity) for h in b.hits} for b in beats]
    return {
        "flat": _mean(lives, lambda live: live.flat),
        "identical": _mean(lives, lambda live: live.identical),
        "drums": _mean(lives, lambda live: live.drums),
        "hits_a_bar": _mean(lives, lambda live: live.hits_a_bar),
        "rolls": _mean(lives, lambda live: live.rolls),
        "triplets": _mean(lives, lambda live: live.triplets),
        "on_grid": _mean(lives, lambda live: live.on_grid),
        "idiom": _mean(lives, lambda live: not live.broken_rules),
        "levels": _mean(lives, lambda live: live.levels),
        "distinct": len({frozenset(some) for some in hits}) / max(1, len(hits)),
        # share of struck places that two bars do not share: of one beat, and first ones of two
        "bars_apart_within": float(
            np.mean([_apart(itertools.combinations(bars_of(beat), 2)) for beat in beats])
        ),
        "bars_apart_between": _apart(
            itertools.combinations([bars_of(beat)[0] for beat in beats], 2)
        ),
    }


def _mean(lives: Sequence[Liveliness], value: Callable[[Liveliness], float]) -> float:
    return float(np.mean([value(live) for live in lives]))


def _apart(pairs: Iterable[tuple[_Bar, _Bar]]) -> float:
    shares = [len(one ^ other) / len(one | other) for one, other in pairs if one | other]
    return float(np.mean(shares)) if shares else 0.0


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over styles, and the worst style of the measures that have a limit."""
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    swinging = [row["on_grid"] for row in rows]
    return {
        **means,
        "worst_flat": max(row["flat"] for row in rows),
        "worst_identical": max(row["identical"] for row in rows),
        "worst_idiom": min(row["idiom"] for row in rows),
        "worst_distinct": min(row["distinct"] for row in rows),
        "worst_on_grid": max(swinging),
    }


# --- styles, judge, copying -------------------------------------------------------------------


def _recognised(known: Sequence[_Style]) -> dict[str, Any]:
    """How often a classifier names the style; it learns from held-out material alone."""
    taught: list[Beat] = []
    for style in known:
        taught += _grooves(style.held_out)
        taught += compose(style.held_out, "groove", COMPOSED_FOR_CLASSIFIER, seed=1, long_share=0.0)
    classifier = StyleClassifier([beat for beat in taught if beat.meter == FOUR_FOUR])
    sides = {
        "takes": [beat for style in known for beat in style.takes],
        "written": [beat for style in known for beat in _grooves(style.learned)],
    }
    found: dict[str, Any] = {"styles": len(known)}
    for name, beats in sides.items():
        for hears_tempo, ending in ((True, ""), (False, "_without_tempo")):
            answer = classifier.recognise(beats, hears_tempo=hears_tempo)
            found[name + ending] = {"first": answer.first, "top_three": answer.top_three}
            if name == "takes" and hears_tempo:
                found["top_three_by_style"] = answer.by_style
    return found


def _judged(model: BeatModel, known: Sequence[_Style], first_seed: int) -> dict[str, Any]:
    """C2ST against held-out phrases at their style and tempo, beside the written floor."""
    held_out = [beat for style in known for beat in _grooves(style.held_out)]
    names = [f"{beat.genre}/{beat.title}" for beat in held_out]
    asked = [
        GenerationRequest(
            genre=beat.genre,
            tempo_bpm=beat.tempo_bpm,
            bars=beat.bars,
            seed=first_seed + number,
            feel=Feel(role=role_of_phrase(beat)),
        )
        for number, beat in enumerate(held_out)
    ]
    takes = [take.beat for take in model.generate_all(asked)]
    learned = {style.genre: _grooves(style.learned) for style in known}
    floor = _nearest(held_out, learned)
    sides = {
        "takes": describe(takes, names),
        "written": describe(floor, names),
        "held_out": describe(held_out, names),
    }
    return {
        what: _excess(sides, hits_only)
        for what, hits_only in (("hits and expression", False), ("hits only", True))
    }


def _nearest(held_out: Sequence[Beat], learned: Mapping[str, Sequence[Beat]]) -> list[Beat]:
    """For each held-out phrase another of its style, nearest in tempo, none before all others."""
    used: dict[str, list[int]] = defaultdict(list)
    found = []
    for beat in held_out:
        pool = learned[beat.genre]
        times = used[beat.genre]
        fewest = min(times.count(number) for number in range(len(pool)))
        free = [number for number in range(len(pool)) if times.count(number) == fewest]
        tempo_bpm = beat.tempo_bpm or 0.0
        chosen = min(free, key=lambda number: abs((pool[number].tempo_bpm or 0.0) - tempo_bpm))
        times.append(chosen)
        found.append(pool[chosen])
    return found


def _excess(sides: Mapping[str, Judged], hits_only: bool) -> dict[str, Any]:
    heard, floor = (
        judge(sides[name], sides["held_out"], hits_only=hits_only) for name in ("takes", "written")
    )
    return {
        "forest_auc": heard.forest_auc,
        "forest_floor": floor.forest_auc,
        "forest_excess": heard.forest_auc - floor.forest_auc,
        "logistic_auc": heard.logistic_auc,
        "logistic_floor": floor.logistic_auc,
        "logistic_excess": heard.logistic_auc - floor.logistic_auc,
        "top_features": [feature.name for feature in heard.top_features][:8],
    }


def _copied(known: Sequence[_Style]) -> dict[str, float]:
    """Bars found among the written phrases that were learned from, and how many humans' are."""
    bank = BarBank(beat for style in known for beat in style.learned.phrases)
    takes = copying([beat for style in known for beat in style.takes], bank)
    written = copying([beat for style in known for beat in _grooves(style.held_out)], bank)
    return {"takes": takes.share_found, "written": written.share_found, "bank_bars": len(bank)}


# --- structure --------------------------------------------------------------------------------


def _structure(beats: Sequence[Beat]) -> dict[str, Any]:
    """How much each bar differs from the one before it, and what follows a turn."""
    changes: dict[int, list[float]] = defaultdict(list)
    answered = turned = 0
    for beat in beats:
        live = liveliness(beat)
        for bar, change in enumerate(live.changes, start=2):
            changes[bar].append(change)
        bars = bars_of(beat)
        if len(bars) >= 5 and live.changes[2] > np.mean([live.changes[0], live.changes[1]]):
            turned += 1
            answered += (0, "kick") in bars[4]
    means = {str(bar): float(np.mean(values)) for bar, values in sorted(changes.items())}
    turns = [value for bar in TURN_BARS for value in changes.get(bar, ())]
    others = [value for bar, values in changes.items() if bar not in TURN_BARS for value in values]
    return {
        "change_by_bar": means,
        "turns": float(np.mean(turns)) if turns else 0.0,
        "others": float(np.mean(others)) if others else 0.0,
        "kick_after_turn": answered / turned if turned else 0.0,
        "crash_on_one": float(
            np.mean(
                [
                    any(h.lane == LANE["crash"] and h.onset_quarters < 0.2 for h in beat.hits)
                    for beat in beats
                ]
            )
        ),
    }
