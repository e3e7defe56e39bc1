"""Trains the network that tells tempo and bar line from folded onsets: ``assets/bar-profile.npz``.

``python -m scripts.train_bar_profile --tracks 900``. It learns from the development renders of
`benchmarks.rendered_tracks`; test kits and test seeds are never heard. Every fifth track is kept
back to watch the training.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly

from benchmarks.rendered_tracks import track
from dj_core.files.storage import write_bytes_atomic
from dj_core.listening.bar_profile import LOUDEST, WEIGHTS_FILE, facts_of
from dj_core.listening.onset_strength import BANDS, FRAMES_PER_SECOND, onset_strength
from dj_core.listening.tempo_candidates import (
    MOST_CANDIDATES,
    TICKS_PER_BEAT,
    candidates,
    folded,
)

TICKS = 4 * TICKS_PER_BEAT
FACTS = 3
STRETCH_SECONDS = 24
SHORTEST_SECONDS = 26
ANY_TEMPO_OF_TEN = 3  # of ten tracks, how many play at a tempo that is not their style's
RIGHT_TEMPO = 0.008
HELD_BACK_EVERY = 5


@dataclass(frozen=True, eq=False)
class Example:
    """Candidates of a stretch, and which of them is right.

    Attributes:
        number: of the track.
        profiles: (candidates, ticks, bands).
        facts: (candidates, facts).
        right: index of the right candidate.
        bar_tick: where its bars begin, in ticks.
    """

    number: int
    profiles: NDArray[np.float32]
    facts: NDArray[np.float32]
    right: int
    bar_tick: float


def examples(number: int) -> Iterator[Example]:
    """Two stretches of one development track, where its tempo is among the candidates."""
    made = track("development", number, SHORTEST_SECONDS, number % 10 >= 10 - ANY_TEMPO_OF_TEN)
    strength = onset_strength(resample_poly(made.samples, 1, 2).astype(np.float32))
    frames = round(STRETCH_SECONDS * FRAMES_PER_SECOND)
    draw = np.random.default_rng([5, number])
    for start in (0, int(draw.integers(0, max(len(strength) - frames, 1)))):
        part = strength[start : start + frames]
        found = candidates(part)
        for place, one in enumerate(found):
            if abs(one.tempo_bpm / made.tempo_bpm - 1) < RIGHT_TEMPO:
                line = made.offset_seconds - start / FRAMES_PER_SECOND - one.phase_seconds
                tick = line / one.period_seconds * TICKS_PER_BEAT % TICKS
                profiles = np.stack([folded(part, other) for other in found])
                yield Example(number, profiles, facts_of(found), place, tick)
                break


class Net(torch.nn.Module):
    """As `bar_profile.scores` plays it."""

    def __init__(self, units: int = 64, second: int = 24) -> None:
        super().__init__()
        self.first = torch.nn.Linear(TICKS * BANDS, units)
        self.facts = torch.nn.Linear(FACTS, units, bias=False)
        self.second = torch.nn.Linear(units, second)
        self.third = torch.nn.Linear(second, 1)
        self.drop = torch.nn.Dropout(0.2)

    def forward(self, profiles: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        """Log odds (stretches, candidates, ticks)."""
        heard = torch.fft.rfft(torch.log1p(profiles), dim=2)
        first = torch.fft.rfft(self.first.weight.view(-1, TICKS, BANDS), dim=1).conj()
        units = torch.fft.irfft(torch.einsum("nmfb,hfb->nmfh", heard, first), n=TICKS, dim=2)
        units = torch.relu(units + self.first.bias + self.facts(facts)[:, :, None])
        answer: torch.Tensor = self.third(torch.relu(self.second(self.drop(units))))[..., 0]
        return answer


def batch_of(found: list[Example]) -> tuple[torch.Tensor, ...]:
    """Profiles, facts, which candidates there are, and which rotations are right."""
    profiles = np.zeros((len(found), MOST_CANDIDATES, TICKS, BANDS), np.float32)
    facts = np.zeros((len(found), MOST_CANDIDATES, FACTS), np.float32)
    there = np.zeros((len(found), MOST_CANDIDATES), bool)
    right = np.zeros((len(found), MOST_CANDIDATES, TICKS), bool)
    for row, one in enumerate(found):
        count = len(one.profiles)
        profiles[row, :count] = np.minimum(one.profiles, LOUDEST)
        facts[row, :count], there[row, :count] = one.facts, True
        for tick in (int(one.bar_tick), int(one.bar_tick) + 1):
            right[row, one.right, tick % TICKS] = True
    return tuple(torch.from_numpy(part) for part in (profiles, facts, there, right))


def loss_of(net: Net, batch: tuple[torch.Tensor, ...], heard: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the right candidate and rotation among all."""
    _, facts, there, right = batch
    scores = net(heard, facts).masked_fill(~there[:, :, None], -1e9).flatten(1)
    wanted = scores.masked_fill(~right.flatten(1), -1e9)
    return (torch.logsumexp(scores, 1) - torch.logsumexp(wanted, 1)).mean()


def main() -> None:
    """Render, train, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=900)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    torch.manual_seed(0)
    found = [one for number in range(options.tracks) for one in examples(number)]
    learned = batch_of([one for one in found if one.number % HELD_BACK_EVERY])
    held_back = batch_of([one for one in found if one.number % HELD_BACK_EVERY == 0])
    net = Net()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.epochs)
    for epoch in range(options.epochs):
        net.train()
        for rows in torch.randperm(len(learned[0])).split(32):
            batch = tuple(part[rows] for part in learned)
            silent = (torch.rand(len(rows), 1, 1, BANDS) < 0.12).float()  # no hats, no bass …
            heard = batch[0] * (1 - silent) * (1 + 0.15 * torch.randn_like(batch[0]))
            loss = loss_of(net, batch, heard.clamp(min=0))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
        net.eval()
        with torch.no_grad():
            print(f"epoch {epoch}: {loss_of(net, held_back, held_back[0]):.3f} nats", flush=True)
    weights = {
        name.removesuffix(".weight").replace(".", "_"): part.detach().numpy().astype(np.float32)
        for name, part in net.state_dict().items()
    }
    file = io.BytesIO()
    np.savez(file, **weights)
    write_bytes_atomic(WEIGHTS_FILE, file.getvalue())


if __name__ == "__main__":
    main()
