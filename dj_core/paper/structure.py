"""The twelve-bar experiment after Eck and Schmidhuber (2002): does a network keep the form?

They trained an LSTM on twelve-bar blues and let it play on: it kept the form, which plain recurrent
networks had not. Here the chords are drum bars. The first four bars are the same bar four times,
so that eight strokes say nothing of where one is: a network that plays the change in bar five has
counted 32 strokes. Every cell has about as many weights, learns the same song for the same number
of steps and then plays on alone, always the likeliest stroke, for eight choruses.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
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
CELLS = {"lstm": 20, "gru": 24, "rnn": 44, "res-rnn": 30}  # widths of some 4,000 weights each
LEARNING_RATE = 0.01
STEPS, QUICK_STEPS = 300, 12
SEEDS, QUICK_SEEDS = (1, 2), (1,)
T = TypeVar("T")


@dataclass(frozen=True)
class FormResult:
    """How one cell kept the form.

    Attributes:
        cell: a key of `dj_core.models.notes.note_network.NETWORKS`.
        weights: of its network.
        loss: nats per stroke at the end of training, mean over seeds.
        bars_right: share of the bars played alone that are the form's, by chorus, mean over seeds.
        seconds: processor time of training, mean over seeds.
    """

    cell: str
    weights: int
    loss: float
    bars_right: tuple[float, ...]
    seconds: float

    @property
    def later(self) -> float:
        """Share of bars right after the first chorus."""
        return sum(self.bars_right[1:]) / max(len(self.bars_right) - 1, 1)


def one_bar_share() -> float:
    """Share of bars right for who plays the form's commonest bar and no other, 0 to 1.

    Who scores no more than this need not know where they are.
    """
    return max(FORM.count(chord) for chord in FORM) / len(FORM)


def chorus() -> str:
    """The twelve bars, a letter a stroke."""
    return "".join(BARS[chord] for chord in FORM)


def keep_the_form(quick: bool) -> tuple[FormResult, ...]:
    """Train and let play every cell."""
    results = []
    for cell in CELLS:
        runs = [_run(cell, seed, quick) for seed in (QUICK_SEEDS if quick else SEEDS)]
        weights, losses, shares, seconds = zip(*runs, strict=True)
        bars_right = tuple(fmean(chorus_) for chorus_ in zip(*shares, strict=True))
        results.append(FormResult(cell, weights[0], fmean(losses), bars_right, fmean(seconds)))
    return tuple(results)


def _run(cell: str, seed: int, quick: bool) -> tuple[int, float, list[float], float]:
    """Weights, loss, share of right bars by chorus, and seconds of training, of one network."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    from dj_core.models.notes.note_network import build_network, count_weights

    letters = sorted(set(chorus()))
    song = [letters.index(letter) for letter in chorus()]
    settings = NetworkSettings(len(letters), cell=cell, layers=1, hidden=CELLS[cell], embedding=8)
    network = build_network(settings, seed)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    ids = torch.tensor([song * CHORUSES_LEARNED + song[:1]])
    with cpu_threads(1):
        started = time.process_time()
        loss = torch.zeros(())
        for _ in range(QUICK_STEPS if quick else STEPS):
            logits, _ = network(ids[:, :-1])
            loss = cross_entropy(logits[0], ids[0, 1:])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        seconds = time.process_time() - started
        played = song[:1]
        state: Any = None  # each kind of network remembers otherwise
        network.eval()
        with torch.inference_mode():
            while len(played) < len(song) * CHORUSES_PLAYED:
                scores, state = network.step(played[-1], state)
                played.append(int(scores.argmax()))
    return count_weights(settings), float(loss.detach()), _bars_right(played, song), seconds


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
