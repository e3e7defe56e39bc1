"""Runs every metric and returns one dictionary: each figure with its reference and control.

    ground = Ground.load([corpus], "validation")
    beats_by_seed = {seed: [play(request) for request in ground.requests(400, seed)] ...}
    results = evaluate(beats_by_seed, ground)

The beats of a seed answer that seed's requests, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import BeatError
from dj_core.evaluation.copying import BarBank, copying
from dj_core.evaluation.genre_classifier import GenreEar
from dj_core.evaluation.judge import Judged, JudgeResult, describe, judge
from dj_core.evaluation.judged_clips import (
    Clip,
    ClipRequest,
    corpus_clips,
    matched_clips,
    matched_requests,
    stretch,
)
from dj_core.evaluation.likelihood import (
    BAR_MEMORY,
    FOUR_FOUR,
    STEPS_PER_BAR,
    TIMING_BINS,
    VELOCITY_BINS,
    Cells,
    ExpressionHistogram,
    HitHistogram,
    HitModel,
    PatternNGram,
    beat_of_hits,
    cells_of,
    expression_bins,
    hit_bits_per_step,
)
from dj_core.music.beat import Beat

FORMAT_VERSION = 1
NGRAM, NO_FEEL = "n-gram with bar memory", "human hits, feel from histograms"
SECTIONS = ("likelihood", "judge", "copying", "genre", "distributions")
Progress = Callable[[str], None]
"""Called with what is being measured."""


@dataclass(frozen=True)
class Ground:
    """The human material figures are measured on.

    Attributes:
        name: corpora and split, as reports call it.
        train, held_out: 4-bar clips of either side.
        train_cells, held_out_cells: whole 4/4 performances on the grid, fills included.
    """

    name: str
    train: tuple[Clip, ...]
    held_out: tuple[Clip, ...]
    train_cells: tuple[Cells, ...]
    held_out_cells: tuple[Cells, ...]

    @classmethod
    def load(cls, corpora: Sequence[Corpus], split: str = "validation") -> Ground:
        """Read the training material and one held-out split of `corpora`.

        Raises:
            CorpusError: a file cannot be read, or a corpus has no clip of 4 bars in a split.
        """
        return cls(
            name=f"{' + '.join(corpus.name for corpus in corpora)}, {split}",
            train=tuple(clip for corpus in corpora for clip in corpus_clips(corpus, "train")),
            held_out=tuple(clip for corpus in corpora for clip in corpus_clips(corpus, split)),
            train_cells=performance_cells(corpora, ["train"]),
            held_out_cells=performance_cells(corpora, [split]),
        )

    def requests(self, count: int, seed: int) -> tuple[ClipRequest, ...]:
        """What to generate: `count` requests with the held-out clips' genres and tempos."""
        return matched_requests(self.held_out, count, seed)

    @cached_property
    def humans(self) -> Judged:
        """The held-out clips as the judge hears them."""
        return describe_clips(self.held_out)

    def drawn_humans(self, count: int, seed: int) -> Judged:
        """The human floor: training clips in answer to `requests(count, seed)`."""
        requests = self.requests(count, seed)
        return describe_clips(matched_clips(requests, self.train, seed), requests)


def performance_cells(corpora: Sequence[Corpus], splits: Sequence[str]) -> tuple[Cells, ...]:
    """The whole 4/4 performances of these splits on the grid, fills included."""
    return tuple(
        cells_of(corpus.beat(file))
        for corpus in corpora
        for file in corpus.files
        if file.split in splits and file.meter == FOUR_FOUR
    )


def describe_clips(clips: Sequence[Clip], requests: Sequence[ClipRequest] | None = None) -> Judged:
    """Clips for the judge, grouped by their own performance or by the one each answers."""
    return describe(
        [clip.beat for clip in clips], [source.performance for source in requests or clips]
    )


def evaluate(
    beats_by_seed: Mapping[int, Sequence[Beat]],
    ground: Ground,
    *,
    hit_model: HitModel | float | None = None,
    expression_bits: tuple[float | None, float | None] | None = None,
    progress: Progress = lambda what: None,
) -> dict[str, Any]:
    """Measure generated beats on `ground`; the same beats give the same figures.

    Args:
        beats_by_seed: for each seed the answers to `ground.requests(len(beats), seed)`, in order.
        ground: the human material.
        hit_model: the model's conditional probabilities, for its likelihood, or its bits per
            sixteenth if already measured on `ground.held_out_cells`; None leaves it out.
        expression_bits: the model's cost of velocity and of timing in bits per hit, likewise.
        progress: told what is being measured.

    Returns:
        JSON-able: 'ground', 'seeds', 'clips', and per section 'likelihood', 'judge', 'copying',
        'genre' and 'distributions' figures with references and controls. 'genre' is None where
        the material knows fewer than two genres, or other ones on either side.

    Raises:
        BeatError: a beat that is not in 4/4 or shorter than two bars, or too few of them.
    """
    if not beats_by_seed:
        raise BeatError("There is nothing to measure; got no beats. Generate some for one seed.")
    first = min(beats_by_seed)
    ngram = ngram_beats(ground, len(beats_by_seed[first]), first)
    sections: dict[str, Callable[[], dict[str, Any] | None]] = {
        "likelihood": lambda: _likelihood(ground, hit_model, expression_bits),
        "judge": lambda: _judge(beats_by_seed, ground, ngram),
        "copying": lambda: _copying(beats_by_seed, ground, ngram),
        "genre": lambda: _genre(beats_by_seed, ground, ngram),
        "distributions": lambda: {
            "generated": _bin_shares([beat for made in beats_by_seed.values() for beat in made]),
            "held_out": _bin_shares([clip.beat for clip in ground.held_out]),
        },
    }
    results: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "ground": ground.name,
        "seeds": sorted(beats_by_seed),
        "clips": {
            "generated": sum(map(len, beats_by_seed.values())),
            "held_out": len(ground.held_out),
            "train": len(ground.train),
        },
    }
    for name, section in sections.items():
        progress(name)
        results[name] = section()
    return results


def drift(
    beats: Sequence[Beat], ground: Ground, groups: Sequence[str], bars: int = 8, seed: int = 1
) -> dict[str, float]:
    """Whether long beats stay as human at their end: the judge on first and last `bars` bars.

    Args:
        beats: 4/4, of more than `bars` bars, made to match held-out clips.
        ground: the human material.
        groups: the performance each was made to match.
    """
    result = {}
    for name, first_bar in (("first", 0), ("last", -bars)):
        part = [stretch(beat, first_bar % beat.bars, bars) for beat in beats]
        heard = judge(describe(part, groups), ground.humans, seed=seed)
        result[f"{name}_{bars}_bars_forest_auc"] = heard.forest_auc
        result[f"{name}_{bars}_bars_logistic_auc"] = heard.logistic_auc
    return result


# --- sections ---------------------------------------------------------------------------------


def _likelihood(
    ground: Ground,
    hit_model: HitModel | float | None,
    expression_bits: tuple[float | None, float | None] | None,
) -> dict[str, Any]:
    """Bits per sixteenth and per hit; the references are computed here, never quoted."""
    train = [cells.hits for cells in ground.train_cells]
    truth = [cells.hits for cells in ground.held_out_cells]
    velocity, timing = ExpressionHistogram(ground.train_cells).bits_per_hit(ground.held_out_cells)
    model_velocity, model_timing = expression_bits or (None, None)
    return {
        "hit_bits_per_step": {
            "value": hit_bits_per_step(hit_model, truth) if callable(hit_model) else hit_model,
            "reference": {
                "order 0": hit_bits_per_step(HitHistogram(train), truth),
                "order 2 and bar position": PatternNGram(train).bits_per_step(truth),
                "one bar back": PatternNGram(train, BAR_MEMORY).bits_per_step(truth),
            },
        },
        "velocity_bits_per_hit": {"value": model_velocity, "reference": {"histogram": velocity}},
        "timing_bits_per_hit": {"value": model_timing, "reference": {"histogram": timing}},
    }


def ngram_beats(ground: Ground, count: int, seed: int) -> list[Beat]:
    """What an n-gram with bar memory answers to `ground.requests(count, seed)`.

    Velocity and timing are drawn from histograms: no feel, right levels.
    """
    random = np.random.default_rng(seed)
    expression = ExpressionHistogram(ground.train_cells)
    ngram = PatternNGram((cells.hits for cells in ground.train_cells), BAR_MEMORY)
    return [
        expression.redraw(beat_of_hits(ngram.sample(ask.bars * STEPS_PER_BAR, random)), random)
        for ask in ground.requests(count, seed)
    ]


def _judge(
    beats_by_seed: Mapping[int, Sequence[Beat]], ground: Ground, ngram: Sequence[Beat]
) -> dict[str, Any]:
    """C2ST of every seed beside the human floor of the same requests; baselines once."""

    def answers(beats: Sequence[Beat], seed: int) -> Judged:
        return describe(beats, [ask.performance for ask in ground.requests(len(beats), seed)])

    first = min(beats_by_seed)
    random = np.random.default_rng(first)
    expression = ExpressionHistogram(ground.train_cells)
    redrawn = [expression.redraw(clip.beat, random) for clip in ground.held_out]
    # what a judge must catch: drummers without feel (by expression alone), and n-grams
    baselines = {
        NO_FEEL: describe(redrawn, [clip.performance for clip in ground.held_out]),
        NGRAM: answers(ngram, first),
    }
    sides = {seed: answers(beats, seed) for seed, beats in sorted(beats_by_seed.items())}
    drawn = {seed: ground.drawn_humans(len(beats_by_seed[seed]), seed) for seed in sides}
    section: dict[str, Any] = {}
    for name, hits_only in (("hits and expression", False), ("hits only", True)):

        def heard(side: Judged, seed: int, hits_only: bool = hits_only) -> JudgeResult:
            return judge(side, ground.humans, hits_only=hits_only, seed=seed)

        generated = {seed: heard(side, seed) for seed, side in sides.items()}
        humans = {seed: heard(side, seed) for seed, side in drawn.items()}
        control = {baseline: heard(side, first) for baseline, side in baselines.items()}
        section[name] = {
            "control": {baseline: {} for baseline in control},
            "top_features": [asdict(feature) for feature in generated[first].top_features],
        }
        for kind in ("forest_auc", "logistic_auc"):
            values = {str(seed): getattr(result, kind) for seed, result in generated.items()}
            floors = {str(seed): getattr(result, kind) for seed, result in humans.items()}
            value, floor = (float(np.mean([*each.values()])) for each in (values, floors))
            section[name][kind] = {
                "value": value,
                "human_floor": floor,
                "excess": value - floor,
                "per_seed": values,
                "floor_per_seed": floors,
            }
            for baseline, result in control.items():
                section[name]["control"][baseline][kind] = getattr(result, kind)
    return section


def _copying(
    beats_by_seed: Mapping[int, Sequence[Beat]], ground: Ground, ngram: Sequence[Beat]
) -> dict[str, Any]:
    """Shares of one seed's size each, averaged: uniqueness falls with the number of windows."""
    bank = BarBank(clip.beat for clip in ground.train)
    generated = [asdict(copying(beats, bank)) for _, beats in sorted(beats_by_seed.items())]
    performances = [clip.performance for clip in ground.held_out]
    humans = copying([clip.beat for clip in ground.held_out], bank, performances)
    return {
        "bank_bars": len(bank),
        "value": {name: float(np.mean([one[name] for one in generated])) for name in generated[0]},
        "reference": asdict(humans),
        "control": {NGRAM: asdict(copying(ngram, bank))},
    }


def _genre(
    beats_by_seed: Mapping[int, Sequence[Beat]], ground: Ground, ngram: Sequence[Beat]
) -> dict[str, Any] | None:
    taught = {clip.genre for clip in ground.train} - {""}
    if len(taught) < 2 or not taught & {clip.genre for clip in ground.held_out}:
        return None
    ear = GenreEar(ground.train)
    beats: list[Beat] = []
    asked: list[str] = []
    for seed, made in sorted(beats_by_seed.items()):
        beats += made
        asked += [request.genre for request in ground.requests(len(made), seed)]
    clips = ground.held_out
    humans = ear.agreement(
        [clip.beat for clip in clips], [clip.genre for clip in clips], ground.humans
    )
    generated = ear.agreement(beats, asked)
    first = asked[: len(ngram)]  # the n-gram answers the first seed's requests
    return {
        "genres": len(ear.genres),
        "value": asdict(generated),
        "reference": asdict(humans),
        "control": {NGRAM: asdict(ear.agreement(ngram, first))},
        "relative_first": generated.first / max(humans.first, 1e-9),
        "relative_top_three": generated.top_three / max(humans.top_three, 1e-9),
    }


def _bin_shares(beats: Sequence[Beat]) -> dict[str, list[float]]:
    """Shares of velocity and timing bins, for plots."""
    bins = [expression_bins(cells_of(beat)) for beat in beats]
    velocity, timing = (np.concatenate(parts) for parts in zip(*bins, strict=True))
    return {
        "velocity": (np.bincount(velocity, minlength=VELOCITY_BINS) / len(velocity)).tolist(),
        "timing": (np.bincount(timing, minlength=TIMING_BINS) / len(timing)).tolist(),
    }
