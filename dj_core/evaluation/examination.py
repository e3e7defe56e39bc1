"""An evaluation from end to end: generate takes for held-out clips, measure them, write results.

with reference_of_folder(folder, "validation", own) as reference:
    results = examine(load_model(model_folder), reference)
write_results(results, out, "groove")
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from dj_core.errors import GenerationError
from dj_core.evaluation.evaluation import SECTIONS, drift, evaluate
from dj_core.evaluation.evaluation_charts import flat
from dj_core.evaluation.evaluation_report import write_report
from dj_core.evaluation.judged_clips import ClipRequest
from dj_core.evaluation.references import Reference
from dj_core.evaluation.surprise import surprise_of
from dj_core.files.storage import write_json_atomic
from dj_core.models.families import load_model
from dj_core.models.request import BeatModel, GenerationRequest, Take
from dj_core.music.beat import Beat

DEFAULT_CLIPS = 400
DEFAULT_SEEDS = (1, 2, 3)
SEED_SPACING = 1_000  # seeds of takes: the examination's times this, and counting up
DRIFT_BARS, DRIFT_CLIPS = 32, 100
DRIFT_PART = 8  # bars at either end
SPEED_BARS, SPEED_TEMPO_BPM, SPEED_TRIES, SPEED_TAKES = 4, 120.0, 9, 64
TAKES_AT_ONCE = 32

Progress = Callable[[str, float], None]
"""Told what is being done and how much of all is done, 0 to 1."""

# how long each part lasts, as shares of an examination
_SHARES = {"likelihood": 0.08, "playing": 0.4, "measuring": 0.42, "long beats": 0.08, "speed": 0.02}
_BEFORE = dict(zip(_SHARES, accumulate(_SHARES.values(), initial=0.0), strict=False))


@dataclass(frozen=True)
class Away:
    """Who plays the takes instead of this process; takes are the same.

    Attributes:
        executor: carries the work.
        folder: the model's, where the workers see it too.
    """

    executor: Executor
    folder: Path


_model_in = lru_cache(maxsize=1)(load_model)


def play_away(folder: Path, requests: Sequence[GenerationRequest]) -> list[Take]:
    """A worker's share of the playing."""
    return _model_in(folder).generate_all(requests)


def examine(
    model: BeatModel,
    reference: Reference,
    *,
    clips: int = DEFAULT_CLIPS,
    seeds: Sequence[int] = DEFAULT_SEEDS,
    progress: Progress = lambda words, share: None,
    away: Away | None = None,
) -> dict[str, Any]:
    """Everything about a model on one reference, at the settings a DJ gets.

    The beats answer the held-out clips' genres, tempos and lengths; a genre that the model does
    not know is asked for as any. The same model and seeds give the same figures, speed apart.

    Args:
        model: of any family.
        reference: the human material.
        clips: beats of 4 bars a seed.
        seeds: of which every one is judged by itself; the mean is quoted.
        progress: told how far it is.
        away: plays the takes elsewhere.

    Returns:
        JSON-able: `metrics.evaluate`'s sections, 'surprise', 'drift', 'speed' and 'figures', the
        flat ones.

    Raises:
        BeatError: too few clips for a judge.
        GenerationError: no seed, or a request the model refuses.
    """
    if not seeds or clips < 1:
        raise GenerationError(f"An examination needs seeds and clips; got {seeds!r} and {clips!r}.")

    def tell(part: str, share: float = 0.0, words: str = "") -> None:
        progress(words or part, _BEFORE[part] + share * _SHARES[part])

    def playing(turn: int, share: float) -> None:
        tell("playing", (turn + share) / len(seeds))

    tell("likelihood")
    surprise = surprise_of(model, reference)
    tell("playing")
    spacing, ground = max(SEED_SPACING, clips), reference.ground
    beats = {}
    for turn, seed in enumerate(seeds):
        asks, told = ground.requests(clips, seed), partial(playing, turn)
        beats[seed] = _beats(model, asks, seed * spacing, None, told, away)
    tell("measuring")
    results = evaluate(
        beats,
        ground,
        hit_model=surprise.hits_per_step,
        expression_bits=(surprise.velocity_per_hit, surprise.timing_per_hit),
        progress=lambda what: tell("measuring", SECTIONS.index(what) / len(SECTIONS), what),
    )
    results["surprise"] = asdict(surprise)
    tell("long beats")
    seed, asks = min(seeds), ground.requests(min(DRIFT_CLIPS, clips), min(seeds))
    long_beats = _beats(
        model, asks, seed * SEED_SPACING, DRIFT_BARS, lambda share: tell("long beats", 0.7 * share)
    )
    groups = [ask.performance for ask in asks]
    results["drift"] = heard = drift(long_beats, ground, groups, DRIFT_PART, seed)
    for judge in ("forest", "logistic"):
        first, last = (f"{end}_{DRIFT_PART}_bars_{judge}_auc" for end in ("first", "last"))
        heard[f"{judge}_change"] = heard[last] - heard[first]
    tell("speed")
    results["speed"] = _speed(model)
    genres = {clip.genre for clip in ground.held_out} - {"", *model.genres}
    results["asked_as_any"] = sorted(genres)
    results["figures"] = flat(results)
    tell("speed", 1.0)
    return results


def write_results(results: dict[str, Any], folder: Path, title: str, command: str) -> Path:
    """Save an examination as a page with plots, report.json and figures.json.

    Args:
        results: of `examine`.
        folder: made if need be.
        title: of the page.
        command: that makes the same figures again.

    Returns:
        The Markdown page.

    Raises:
        LibraryError: the folder cannot be written.
    """
    write_json_atomic(folder / "figures.json", results["figures"])
    told = {**results, "command": command, "further": _further(results)}
    return write_report(told, folder, title)


def _beats(
    model: BeatModel,
    asks: Sequence[ClipRequest],
    first_seed: int,
    bars: int | None,
    told: Callable[[float], None],
    away: Away | None = None,
) -> list[Beat]:
    """What a model answers, in order; `bars` long in place of what is asked for."""
    requests = [
        GenerationRequest(
            genre=ask.genre if ask.genre in model.genres else "",
            tempo_bpm=ask.tempo_bpm,
            bars=bars or ask.bars,
            seed=first_seed + number,
        )
        for number, ask in enumerate(asks)
    ]
    pieces = [requests[i : i + TAKES_AT_ONCE] for i in range(0, len(requests), TAKES_AT_ONCE)]
    if away:
        answers = away.executor.map(play_away, [away.folder] * len(pieces), pieces)
    else:
        answers = map(model.generate_all, pieces)
    beats: list[Beat] = []
    for takes in answers:
        beats += [take.beat for take in takes]
        told(len(beats) / len(requests))
    return beats


def _speed(model: BeatModel) -> dict[str, float]:
    """How fast it plays here, on one core."""
    genre = model.genres[0] if model.genres else ""
    requests = [
        GenerationRequest(genre=genre, tempo_bpm=SPEED_TEMPO_BPM, bars=SPEED_BARS, seed=seed)
        for seed in range(SPEED_TAKES)
    ]
    seconds = []
    for request in requests[:SPEED_TRIES]:
        started = time.perf_counter()
        beat = model.generate(request).beat
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    model.generate_all(requests)
    together = time.perf_counter() - started
    return {
        "seconds": statistics.median(seconds),
        "times_real_time": beat.duration_seconds / statistics.median(seconds),
        "bars_per_second": SPEED_TAKES * SPEED_BARS / together,
    }


def _further(results: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Sections of the page beyond what `evaluation` measures."""
    figures, surprise = results["figures"], results["surprise"]
    words = {
        "hits, bits per 16th, without a style": surprise["hits_per_step_without_style"],
        "all sixteen drums, bits per 16th": surprise["lanes_per_step"],
        "flams, bits per hit": surprise["flams_per_hit"],
        "everything, bits per bar": surprise["total_per_bar"],
        "note strings, bits per note in the model's own words": surprise["words_per_note"],
        "words it never learned, share": surprise["unknown_words"],
    }
    return {
        "Likelihood, further": {name: bits for name, bits in words.items() if bits is not None},
        f"{DRIFT_BARS} bars at once": {
            f"{judge} judge, {place}": figures[f"drift_{judge}{key}"]
            for judge in ("forest", "logistic")
            for place, key in (
                (f"AUC of bars 1 to {DRIFT_PART}", "_first"),
                (f"AUC of the last {DRIFT_PART} bars", "_last"),
                ("change", ""),
            )
        },
        "Speed": {
            "4 bars at 120 BPM, times real time, one core": figures["speed_times_real_time"],
            "bars a second, 64 takes at once": figures["speed_bars_per_second"],
        },
    }
