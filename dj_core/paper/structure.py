"""Recurrent cells compared: a twelve-bar form, and the speed of training and of generating.

The form is after Eck and Schmidhuber (2002), who trained an LSTM on twelve-bar blues and let it
continue: it kept the form, which plain recurrent networks had not. Here the chords are drum bars.
The first four bars are the same bar four times, so that eight strokes do not say which bar it is: a
network that changes in bar five has counted 32 strokes. Every cell has about as many weights,
learns the same song until its loss has converged, and then continues by greedy decoding for eight
choruses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any, TypeVar

from dj_core.models.notes.network_settings import NetworkSettings
from dj_core.models.threads import cpu_threads

FORM = ("I", "I", "I", "I", "IV", "IV", "I", "I", "V", "IV", "I", "I")
STEPS_PER_BAR = 8
BARS = {
    # kick and hat, hat, snare and hat ...; one letter a stroke of the song
    "I": "ahshaash",
    "IV": "rdsdrrsd",
    "V": "atshctss",
}
CHORUSES_LEARNED, CHORUSES_PLAYED = 2, 8
CELLS = {"lstm": 20, "gru": 24, "rnn": 44, "res-rnn": 30}  # widths of some 2,500 weights each
LEARNING_RATE, SLOWER = 0.01, {"res-rnn": 0.003}  # which does not converge at 0.01
CONVERGED, STEPS, QUICK_STEPS = 0.01, 2_500, 12  # nats per stroke; steps at most
SEEDS, QUICK_SEEDS = (1, 2, 3), (1,)
SPEED_HIDDEN, SPEED_SONGS, SPEED_NOTES, SPEED_STEPS, SPEED_ROUNDS = 128, 4, 158, 200, 3
T = TypeVar("T")


@dataclass(frozen=True)
class FormResult:
    """How one cell kept the form. All figures are means over the seeds.

    Attributes:
        cell: a key of `dj_core.models.notes.note_network.NETWORKS`.
        weights: of its network.
        seeds: how many runs.
        loss: nats per stroke at the end of training.
        steps: of training, until `CONVERGED` or `STEPS`.
        bars_right: share of the continued bars that are the form's, by chorus.
    """

    cell: str
    weights: int
    seeds: int
    loss: float
    steps: float
    bars_right: tuple[float, ...]

    @property
    def later(self) -> float:
        """Share of bars right after the first chorus."""
        return sum(self.bars_right[1:]) / max(len(self.bars_right) - 1, 1)


@dataclass(frozen=True)
class CellSpeed:
    """Notes per second of processor time, one layer of 128 units on the paper's vocabulary.

    Attributes:
        cell: see `FormResult`.
        weights: of its network.
        training, generating: medians over rounds in which the cells take turns.
    """

    cell: str
    weights: int
    training: float
    generating: float


def one_bar_share() -> float:
    """Share of bars right for repeating the form's most frequent bar, 0 to 1."""
    return max(FORM.count(chord) for chord in FORM) / len(FORM)


def chorus() -> str:
    """The twelve bars, a letter a stroke."""
    return "".join(BARS[chord] for chord in FORM)


def keep_the_form(quick: bool) -> tuple[FormResult, ...]:
    """Train every cell and let it continue."""
    results = []
    for cell in CELLS:
        runs = [_run(cell, seed, quick) for seed in (QUICK_SEEDS if quick else SEEDS)]
        weights, losses, steps, shares = zip(*runs, strict=True)
        bars_right = tuple(fmean(chorus_) for chorus_ in zip(*shares, strict=True))
        results.append(
            FormResult(cell, weights[0], len(runs), fmean(losses), fmean(steps), bars_right)
        )
    return tuple(results)


def _run(cell: str, seed: int, quick: bool) -> tuple[int, float, int, list[float]]:
    """Weights, loss, steps of training and share of right bars by chorus of one network."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    from dj_core.models.notes.note_network import build_network, count_weights

    letters = sorted(set(chorus()))
    song = [letters.index(letter) for letter in chorus()]
    settings = NetworkSettings(len(letters), cell=cell, layers=1, hidden=CELLS[cell], embedding=8)
    network = build_network(settings, seed)
    optimizer = torch.optim.Adam(network.parameters(), SLOWER.get(cell, LEARNING_RATE))
    ids = torch.tensor([song * CHORUSES_LEARNED + song[:1]])
    loss, steps = math.inf, 0
    with cpu_threads(1):
        while loss >= CONVERGED and steps < (QUICK_STEPS if quick else STEPS):
            logits, _ = network(ids[:, :-1])
            found = cross_entropy(logits[0], ids[0, 1:])
            optimizer.zero_grad(set_to_none=True)
            found.backward()
            clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            loss, steps = float(found.detach()), steps + 1
        played = song[:1]
        state: Any = None  # each kind of network remembers otherwise
        network.eval()
        with torch.inference_mode():
            while len(played) < len(song) * CHORUSES_PLAYED:
                scores, state = network.step(played[-1], state)
                played.append(int(scores.argmax()))
    return count_weights(settings), loss, steps, _bars_right(played, song)


def cell_speeds(vocabulary: int, quick: bool) -> tuple[CellSpeed, ...]:
    """Time one training step of every cell, and the generating of some notes, in turns."""
    import torch
    from torch.nn.functional import cross_entropy

    from dj_core.models.notes.note_network import build_network, count_weights

    shape = NetworkSettings(vocabulary, layers=1, hidden=SPEED_HIDDEN)
    shapes = {cell: replace(shape, cell=cell) for cell in CELLS}
    training: dict[str, list[float]] = {cell: [] for cell in CELLS}
    generating: dict[str, list[float]] = {cell: [] for cell in CELLS}
    random = torch.Generator().manual_seed(SEEDS[0])
    ids = torch.randint(vocabulary, (SPEED_SONGS, SPEED_NOTES + 1), generator=random)
    networks = {cell: build_network(shapes[cell], SEEDS[0]) for cell in CELLS}
    with cpu_threads(1):
        for number in range(1 if quick else SPEED_ROUNDS + 1):
            for cell, network in networks.items():
                optimizer = torch.optim.Adam(network.parameters())
                started = time.process_time()
                logits, _ = network(ids[:, :-1])
                cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
                optimizer.step()
                trained = time.process_time()
                state: Any = None
                with torch.inference_mode():
                    for _ in range(SPEED_STEPS):
                        _, state = network.step(0, state)
                if quick or number:  # the first round only warms up
                    training[cell].append(ids[:, 1:].numel() / (trained - started))
                    generating[cell].append(SPEED_STEPS / (time.process_time() - trained))
    return tuple(
        CellSpeed(
            cell, count_weights(shapes[cell]), median(training[cell]), median(generating[cell])
        )
        for cell in CELLS
    )


def _bars_right(played: Sequence[T], song: Sequence[T]) -> list[float]:
    """Share of the right bars in each chorus."""
    starts = range(0, len(song), STEPS_PER_BAR)
    return [
        fmean(
            played[start + bar : start + bar + STEPS_PER_BAR] == song[bar : bar + STEPS_PER_BAR]
            for bar in starts
        )
        for start in range(0, len(played), len(song))
    ]
