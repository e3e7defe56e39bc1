"""How well hits are humanised, beside simpler means; figures as docs/shaping.md quotes them.

``python -m benchmarks.humanizer_figures --corpus FOLDER --model models/humanizer``.

The validation split of a corpus of played performances, 4/4, nine classes (see
`metrics.likelihood.CLASSES`), windows of two bars every bar. Only the hits, genre and tempo of the
window are given, never what lies around it. Offsets are in 16ths, -0.5 up to 0.5; milliseconds are
offset · 15000 / BPM. Figures are averages over hits; MAE is of the median output, MSE of the mean,
KL (true from sampled; 100 offset bins, 128 velocity bins, one imagined hit in each) and C2ST of one
sample.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dj_core.corpus.store import Corpus
from dj_core.errors import DigitalDJError
from dj_core.evaluation.judge import describe, judge
from dj_core.evaluation.likelihood import CLASSES, FOUR_FOUR, cells_of
from dj_core.files.storage import write_json_atomic
from dj_core.models.humanizer.humanizer_player import Humanizer, load_humanizer
from dj_core.models.humanizer.performances import FILE_TICKS_PER_QUARTER, Batch
from dj_core.music.beat import DEFAULT_TEMPO_BPM, Beat, Hit
from dj_core.music.drums import LANE
from dj_core.music.step_grid import LANES, METERS, STEPS_PER_QUARTER

WINDOW_BARS = 2
BAR = 16
STEPS = WINDOW_BARS * BAR
NEIGHBOURS = 20
RIDGE = 30.0
BOOTSTRAPS = 1_000
OFFSET_BINS, VELOCITIES = 100, 128
STREAMS = 256
_LANE = np.array([LANE[names[0]] for _, names in CLASSES])


@dataclass(frozen=True)
class Windows:
    """Two-bar windows; the first three are (windows, 32, 9).

    Attributes:
        hits: bool.
        velocity, offset: of the hits.
        performance: index of the performance each window is cut from.
        first_bar: where in it.
        genre, tempo_bpm: of the window's performance.
    """

    hits: np.ndarray
    velocity: np.ndarray
    offset: np.ndarray
    performance: np.ndarray
    first_bar: np.ndarray
    genre: tuple[str, ...]
    tempo_bpm: np.ndarray

    @property
    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Window, step and class of every hit, in order."""
        return np.nonzero(self.hits)


@dataclass(frozen=True)
class Output:
    """What a way of humanising says of every hit, in the order of `Windows.cells`.

    Attributes:
        median, mean: pairs of velocities and offsets.
        sample: one performance, likewise.
    """

    median: tuple[np.ndarray, np.ndarray]
    mean: tuple[np.ndarray, np.ndarray]
    sample: tuple[np.ndarray, np.ndarray]

    @classmethod
    def same(cls, velocity: np.ndarray, offset: np.ndarray) -> Output:
        """One answer for everything."""
        return cls((velocity, offset), (velocity, offset), (velocity, offset))


def windows_of(corpus: Corpus, split: str) -> Windows:
    """All windows of a split."""
    parts: list[tuple] = []
    for number, file in enumerate(corpus.files):
        if file.split != split or file.meter != FOUR_FOUR or file.bars < WINDOW_BARS:
            continue
        cells = cells_of(corpus.beat(file))
        for bar in range(file.bars - WINDOW_BARS + 1):
            rows = slice(bar * BAR, bar * BAR + STEPS)
            if cells.hits[rows].any():
                parts.append(
                    (cells.hits[rows], cells.velocities[rows], cells.offsets[rows], number, bar,
                     file.genre, file.tempo_bpm or DEFAULT_TEMPO_BPM)
                )  # fmt: skip
    hits, velocity, offset, number, bar, genre, tempo = zip(*parts, strict=True)
    return Windows(
        np.stack(hits), np.stack(velocity).astype(float), np.stack(offset), np.array(number),
        np.array(bar), genre, np.array(tempo),
    )  # fmt: skip


# --- ways of humanising -----------------------------------------------------------------------


def quantised(train: Windows, held: Windows, random: np.random.Generator) -> Output:
    """On the grid, at the mean velocity."""
    count = len(held.cells[0])
    return Output.same(np.full(count, train.velocity[train.hits].mean()), np.zeros(count))


def by_place(train: Windows, held: Windows, random: np.random.Generator) -> Output:
    """The median of the class at the 16th of the bar."""
    return Output.same(*(_at_places(_medians(train, part), held) for part in _parts(train)))


def linear(train: Windows, held: Windows, random: np.random.Generator) -> Output:
    """A ridge regression per cell on all hits of the window."""
    x = np.hstack([train.hits.reshape(len(train.hits), -1), np.ones((len(train.hits), 1))])
    given = np.hstack([held.hits.reshape(len(held.hits), -1), np.ones((len(held.hits), 1))])
    answers = [np.zeros(held.hits.shape) for _ in range(2)]
    fallback = [_medians(train, part) for part in _parts(train)]
    for step, number in np.ndindex(STEPS, len(CLASSES)):
        rows = train.hits[:, step, number]
        if not rows.any():
            for answer, medians in zip(answers, fallback, strict=True):
                answer[:, step, number] = medians[step % BAR, number]
            continue
        here = x[rows].astype(np.float64)
        gram = here.T @ here + RIDGE * np.eye(here.shape[1])
        for answer, part in zip(answers, _parts(train), strict=True):
            truth = part[rows, step, number]
            weights = np.linalg.solve(gram, here.T @ (truth - truth.mean()))
            answer[:, step, number] = given @ weights + truth.mean()
    velocity, offset = (answer[held.hits] for answer in answers)
    return Output.same(velocity.clip(1, 127), offset.clip(-0.5, 0.5))


def neighbours(train: Windows, held: Windows, random: np.random.Generator) -> Output:
    """The mean over the 20 windows with the likest hits that strike the cell, too."""
    bank = train.hits.reshape(len(train.hits), -1).astype(np.float32)
    sizes = bank.sum(1)
    fallback = [_medians(train, part) for part in _parts(train)]
    answers: list[list[np.ndarray]] = [[], []]
    for hits in held.hits:
        row = hits.reshape(-1).astype(np.float32)
        near = np.argpartition(sizes - 2 * (bank @ row), NEIGHBOURS)[:NEIGHBOURS]
        steps, classes = np.nonzero(hits)
        also = train.hits[near][:, steps, classes]
        count = also.sum(0)
        for answer, part, medians in zip(answers, _parts(train), fallback, strict=True):
            total = (part[near][:, steps, classes] * also).sum(0)
            answer.append(
                np.where(count > 0, total / np.maximum(count, 1), medians[steps % BAR, classes])
            )
    return Output.same(*(np.concatenate(answer) for answer in answers))


def random_draw(train: Windows, held: Windows, random: np.random.Generator) -> Output:
    """The velocity and offset of any hit of the class at the 16th of the bar."""
    window, step, number = train.cells
    place = step % BAR * len(CLASSES) + number
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(BAR * len(CLASSES) + 1))
    _, at, kind = held.cells
    wanted = at % BAR * len(CLASSES) + kind
    low, high = starts[wanted], starts[wanted + 1]
    chosen = order[
        np.where(high > low, low + random.random(len(low)) * (high - low), 0).astype(int)
    ]
    found = window[chosen], step[chosen], number[chosen]
    return Output.same(train.velocity[found], train.offset[found])


BASELINES: dict[str, Callable[[Windows, Windows, np.random.Generator], Output]] = {
    "quantised, mean velocity": quantised,
    "median per class and 16th": by_place,
    "linear on the hits": linear,
    "20 nearest neighbours": neighbours,
    "random draw per class and 16th": random_draw,
}


def humanized(humanizer: Humanizer, held: Windows, seed: int, told: bool = True) -> Output:
    """What a humaniser says; `told` genre and tempo, or neither."""
    rows: list[list[np.ndarray]] = [[] for _ in range(6)]
    for first in range(0, len(held.hits), STREAMS):
        which = range(first, min(first + STREAMS, len(held.hits)))
        said = _said(humanizer, batch_of(held, which, humanizer, told), seed + first)
        for into, part in zip(rows, said, strict=True):
            into.append(part)
    parts = [np.concatenate(into) for into in rows]
    return Output((parts[0], parts[1]), (parts[2], parts[3]), (parts[4], parts[5]))


def _said(humanizer: Humanizer, batch: Batch, seed: int) -> tuple[np.ndarray, ...]:
    """Velocity and offset of every hit: median, mean and one sample."""
    guess = humanizer.guess(batch)
    ticks = np.arange(guess.offset.shape[1]) - guess.offset.shape[1] // 2
    places = ticks * STEPS_PER_QUARTER / FILE_TICKS_PER_QUARTER
    levels = np.arange(VELOCITIES)
    return (
        _median(guess.velocity, levels),
        _median(guess.offset, places),
        _mean(guess.velocity, levels),
        _mean(guess.offset, places),
        *_in_order(batch, humanizer.play(batch, seed)),
    )


def humanized_whole(humanizer: Humanizer, corpus: Corpus, held: Windows, seed: int) -> Output:
    """What a humaniser says that hears each performance's hits from end to end, as in use."""
    rows: list[list[np.ndarray]] = [[] for _ in range(6)]
    for number in np.unique(held.performance):
        mine = np.flatnonzero(held.performance == number)
        hits = cells_of(corpus.beat(corpus.files[number])).hits
        whole = Windows(
            hits[None], hits[None], hits[None], held.performance[mine[:1]], held.first_bar[:1],
            (held.genre[mine[0]],), held.tempo_bpm[mine[:1]],
        )  # fmt: skip
        said = _said(humanizer, batch_of(whole, [0], humanizer, told=True), seed + int(number))
        for into, part in zip(rows, said, strict=True):
            table = np.zeros(hits.shape)
            table[hits] = part
            for window in mine:
                first = held.first_bar[window] * BAR
                into.append(table[first : first + STEPS][held.hits[window]])
    parts = [np.concatenate(into) for into in rows]
    return Output((parts[0], parts[1]), (parts[2], parts[3]), (parts[4], parts[5]))


def batch_of(held: Windows, which: Sequence[int], humanizer: Humanizer, told: bool) -> Batch:
    """Windows as a humaniser hears them: where they are struck, their genre and tempo."""
    some = list(which)
    struck = np.zeros((len(some), held.hits.shape[1], LANES), np.uint8)
    struck[:, :, _LANE] = held.hits[some]
    known = humanizer.checkpoint.settings.genres
    genre = [known.index(held.genre[i]) if told and held.genre[i] in known else 0 for i in some]
    cells = np.ascontiguousarray(struck.transpose(1, 0, 2))
    return Batch(
        cells,
        cells,
        meter=np.full(len(some), METERS.index(FOUR_FOUR)),
        genre=np.array(genre),
        tempo_bpm=held.tempo_bpm[some] * told,
        bar_steps=np.full(len(some), BAR),
    )


def _in_order(batch: Batch, played: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Per-stream columns as one row of hits, window after window, classes in their own order."""
    stream, step, lane = np.nonzero(batch.velocity.transpose(1, 0, 2))
    count = np.bincount(stream, minlength=batch.velocity.shape[1])
    place = np.arange(len(stream)) - np.repeat(np.cumsum(count) - count, count)
    rank = np.full(LANES, 0)
    rank[_LANE] = np.arange(len(_LANE))
    order = np.lexsort((rank[lane], step, stream))
    velocity, offset = (part[place, stream][order] for part in played)
    return velocity, offset


def _median(chances: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Between the two values around half the chance."""
    cumulative = np.cumsum(chances, 1)
    after = (cumulative < 0.5 * cumulative[:, -1:]).sum(1)
    return values[after].astype(float)


def _mean(chances: np.ndarray, values: np.ndarray) -> np.ndarray:
    return chances @ values / chances.sum(1)


def _parts(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    return windows.velocity, windows.offset


def _medians(train: Windows, part: np.ndarray) -> np.ndarray:
    """Median per 16th of the bar and class, (16, 9); the class's own where there is none."""
    medians = np.zeros((BAR, len(CLASSES)))
    for number in range(len(CLASSES)):
        everywhere = part[:, :, number][train.hits[:, :, number]]
        for step in range(BAR):
            here = part[:, step::BAR, number][train.hits[:, step::BAR, number]]
            some = here if len(here) else everywhere
            medians[step, number] = np.median(some) if len(some) else np.median(part[train.hits])
    return medians


def _at_places(table: np.ndarray, held: Windows) -> np.ndarray:
    _, step, number = held.cells
    return table[step % BAR, number]


# --- figures ----------------------------------------------------------------------------------


def measure_humanizer(corpus: Corpus, model: Path, seed: int = 1) -> dict[str, Any]:
    """The table: every baseline and the humaniser, with 95% intervals over performances."""
    train, held = windows_of(corpus, "train"), windows_of(corpus, "validation")
    random = np.random.default_rng(seed)
    humanizer = load_humanizer(model)
    human = _beats(held, (held.velocity[held.hits], held.offset[held.hits]))
    table = {}
    outputs = {name: way(train, held, random) for name, way in BASELINES.items()}
    outputs["humaniser"] = humanized(humanizer, held, seed)
    outputs["humaniser, genre and tempo not told"] = humanized(humanizer, held, seed, told=False)
    outputs["humaniser, whole performance heard"] = humanized_whole(humanizer, corpus, held, seed)
    for name, output in outputs.items():
        table[name] = figures_of(output, held, random) | _judged(output, held, human, seed)
    return {
        "corpus": corpus.name,
        "split": "validation",
        "windows": len(held.hits),
        "hits": len(held.cells[0]),
        "performances": len(set(held.performance.tolist())),
        "seed": seed,
        "table": table,
    }


def figures_of(output: Output, held: Windows, random: np.random.Generator) -> dict[str, Any]:
    """Errors and divergences of one output."""
    window = held.cells[0]
    true_velocity, true_offset = held.velocity[held.hits], held.offset[held.hits]
    milliseconds = 15_000 / held.tempo_bpm[window]
    errors = {
        "timing_mae_ms": np.abs(output.median[1] - true_offset) * milliseconds,
        "timing_mse_sixteenths": (output.mean[1] - true_offset) ** 2,
        "velocity_mae": np.abs(output.median[0] - true_velocity),
    }
    figures: dict[str, Any] = {}
    for name, error in errors.items():
        figures[name] = round(float(error.mean()), 4)
        figures[f"{name}_95"] = _interval(error, held.performance[window], random)
    figures["kl_timing"] = round(
        divergence(true_offset, output.sample[1], np.linspace(-0.5, 0.5, OFFSET_BINS + 1)), 4
    )
    edges = np.arange(VELOCITIES + 1) - 0.5
    figures["kl_velocity"] = round(divergence(true_velocity, output.sample[0], edges), 4)
    return figures


def divergence(truth: np.ndarray, sample: np.ndarray, edges: np.ndarray) -> float:
    """Kullback-Leibler divergence of histograms in nats, true from sampled, add-one."""
    p, q = (np.histogram(np.clip(x, edges[0], edges[-1]), edges)[0] + 1.0 for x in (truth, sample))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def _interval(
    error: np.ndarray, performance: np.ndarray, random: np.random.Generator
) -> list[float]:
    """95% of the mean error, by bootstrap over performances."""
    _, kin = np.unique(performance, return_inverse=True)
    total, count = np.bincount(kin, error), np.bincount(kin)
    drawn = random.integers(len(count), size=(BOOTSTRAPS, len(count)))
    means = total[drawn].sum(1) / count[drawn].sum(1)
    return [round(float(edge), 4) for edge in np.percentile(means, [2.5, 97.5])]


def _beats(held: Windows, played: tuple[np.ndarray, np.ndarray]) -> dict[tuple[int, int], Beat]:
    """Every other window as a beat, by performance and first bar."""
    velocity, offset = (np.zeros(held.hits.shape) for _ in range(2))
    velocity[held.hits], offset[held.hits] = played
    beats = {}
    latest = np.nextafter(STEPS / STEPS_PER_QUARTER, 0)
    for index in np.flatnonzero(held.first_bar % WINDOW_BARS == 0):
        hits = [
            Hit(
                float(np.clip((step + offset[index, step, number]) / 4, 0, latest)),
                int(_LANE[number]),
                int(np.clip(round(velocity[index, step, number]), 1, 127)),
            )
            for step, number in zip(*np.nonzero(held.hits[index]), strict=True)
        ]
        key = int(held.performance[index]), int(held.first_bar[index])
        beats[key] = Beat(tuple(hits), WINDOW_BARS, float(held.tempo_bpm[index]))
    return beats


def _judged(
    output: Output, held: Windows, human: dict[tuple[int, int], Beat], seed: int
) -> dict[str, float]:
    """C2ST of the sample against the drummers who played the same hits."""
    played = _beats(held, output.sample)
    people = [key[0] for key in human]
    heard = judge(
        describe([played[key] for key in human], people),
        describe(list(human.values()), people),
        seed=seed,
    )
    return {
        "c2st_forest": round(heard.forest_auc, 4),
        "c2st_logistic": round(heard.logistic_auc, 4),
    }


def main() -> int:
    """Measure a model on the validation split of a corpus; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.humanizer_figures")
    parser.add_argument("--corpus", type=Path, required=True, help="an imported corpus's folder")
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    try:
        figures = measure_humanizer(Corpus(options.corpus), options.model, seed=options.seed)
        if options.out:
            write_json_atomic(options.out, figures)
    except DigitalDJError as error:
        print(f"humanizer: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
