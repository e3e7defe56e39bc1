"""The humaniser's network: a bidirectional LSTM over hits, and decoders of velocity and timing.

The encoder reads which drums are struck in every 16th, before and after. Two ways lead on:

* **on average**: per hit, the odds of its velocity and of its offset, each on its own. Their
  medians and means are the best single guesses.
* **as played**: an LSTM goes from hit to hit, knows what it has played so far (the hit before, the
  same drum's last hit, and the one a bar ago), and draws. One draw is a performance.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dj_core.models.humanizer.humanizer_shape import (
    ASKED,
    CLOCK,
    CONDITION,
    CONTEXT,
    GENRE,
    LANE_LANE,
    LONGEST_AGE,
    SOURCES,
    TEMPO_CENTRES_BPM,
    TOKEN,
    HumanizerSettings,
    Strokes,
    earlier,
    strokes_of,
    weight_shapes,
)
from dj_core.models.humanizer.performances import Batch
from dj_core.models.network_weights import with_first_weights
from dj_core.music.step_grid import LANES, MAX_STEPS_PER_BAR, METERS, OFFSETS, VELOCITY_BINS


class HumanizerNetwork(nn.Module):
    """See the module's text."""

    def __init__(self, settings: HumanizerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.genre = nn.Embedding(len(settings.genres), GENRE)
        self.condition = nn.Sequential(nn.Linear(ASKED, CONDITION), nn.Tanh())
        self.encoder = nn.LSTM(
            LANES + CLOCK + CONDITION,
            settings.encoder,
            num_layers=2,
            bidirectional=True,
            dropout=settings.dropout,
        )
        heard = 2 * settings.encoder
        self.context = nn.Linear(heard, CONTEXT)
        self.lane = nn.Embedding(LANES, LANE_LANE)
        self.level = nn.Embedding(VELOCITY_BINS + 1, TOKEN)  # 0 for none
        self.place = nn.Embedding(OFFSETS + 1, TOKEN)
        around = CONTEXT + LANE_LANE + SOURCES * 2 * TOKEN + 2
        self.player = nn.LSTM(around, settings.player)
        units = settings.units
        self.average = nn.Linear(heard + LANE_LANE, units)
        self.average_velocity = nn.Linear(units, VELOCITY_BINS)
        self.average_offset = nn.Linear(units, OFFSETS)
        self.velocity_units = nn.Linear(settings.player + around, units)
        self.velocity = nn.Linear(units, VELOCITY_BINS)
        self.offset_units = nn.Linear(settings.player + around + TOKEN, units)
        self.offset = nn.Linear(units, OFFSETS)

    # --- what is heard of the hits -------------------------------------------------------------

    def listen(self, batch: Batch) -> Tensor:
        """Every 16th with what surrounds it: (steps, streams, 2 × encoder)."""
        struck = torch.from_numpy((batch.velocity > 0).astype(np.float32))
        steps = torch.arange(len(struck))[:, None]
        position = steps % torch.from_numpy(batch.bar_steps)[None]
        tempo = torch.from_numpy(batch.tempo_bpm).float()
        known = (tempo > 0).float()[:, None]
        centres = torch.tensor(TEMPO_CENTRES_BPM, dtype=torch.float32)
        away = torch.log2(tempo.clamp(min=1.0))[:, None] - torch.log2(centres)
        asked = (
            self.genre(torch.from_numpy(batch.genre)),
            torch.exp(-((away / 0.2) ** 2)) * known,
            known,
            functional.one_hot(torch.from_numpy(batch.meter), len(METERS)).float(),
        )
        told = self.condition(torch.cat(asked, -1)).expand(len(struck), -1, -1)
        parts = (
            functional.dropout(struck, 0.05, self.training),
            functional.one_hot(position, MAX_STEPS_PER_BAR).float(),
            functional.one_hot(position % 4, 4).float(),
            functional.one_hot(position % 6, 6).float(),
            told,
        )
        heard, _ = self.encoder(torch.cat(parts, -1))
        return functional.dropout(heard, self.settings.dropout, self.training)

    # --- on average ----------------------------------------------------------------------------

    def on_average(self, heard: Tensor, strokes: Strokes) -> tuple[Tensor, Tensor]:
        """Logits (hits, streams, ...) of velocity and of offset, each hit on its own."""
        parts = (self.at(heard, strokes), self.lane(torch.from_numpy(strokes.lane)))
        units = torch.relu(self.average(torch.cat(parts, -1)))
        units = functional.dropout(units, self.settings.dropout, self.training)
        return self.average_velocity(units), self.average_offset(units)

    def at(self, heard: Tensor, strokes: Strokes) -> Tensor:
        """What was heard at every hit."""
        streams = torch.arange(heard.shape[1]).expand(strokes.step.shape)
        return heard[torch.from_numpy(strokes.step), streams]

    # --- as played -----------------------------------------------------------------------------

    def around(self, heard: Tensor, strokes: Strokes, velocity: Tensor, offset: Tensor) -> Tensor:
        """What a hit is played by: its surroundings and `velocity`, `offset` of earlier hits.

        Args:
            heard: of these hits, (hits, streams, ...), as `at` gives it.
            strokes: the hits.
            velocity, offset: tokens plus one of the three sources, (hits, streams, 3); 0 for none.
        """
        since = np.minimum(np.stack([strokes.gap, strokes.age], -1), LONGEST_AGE)
        clock = torch.from_numpy(np.log2(1.0 + since) / math.log2(1 + LONGEST_AGE)).float()
        parts = (
            torch.relu(self.context(heard)),
            self.lane(torch.from_numpy(strokes.lane)),
            self.level(velocity).flatten(-2),
            self.place(offset).flatten(-2),
            clock,
        )
        return torch.cat(parts, -1)

    def velocity_logits(self, memory: Tensor, around: Tensor) -> Tensor:
        """Logits of the velocity bin, given the player's memory."""
        units = torch.relu(self.velocity_units(torch.cat([memory, around], -1)))
        logits: Tensor = self.velocity(
            functional.dropout(units, self.settings.dropout, self.training)
        )
        return logits

    def offset_logits(self, memory: Tensor, around: Tensor, velocity: Tensor) -> Tensor:
        """Logits of the offset, given the velocity bin just drawn (0 to 32)."""
        parts = (memory, around, self.level(velocity + 1))
        units = torch.relu(self.offset_units(torch.cat(parts, -1)))
        logits: Tensor = self.offset(
            functional.dropout(units, self.settings.dropout, self.training)
        )
        return logits


def build_network(settings: HumanizerSettings, seed: int | None = None) -> HumanizerNetwork:
    """A fresh network; the same seed draws the same weights. torch's random state is kept.

    Raises:
        TrainingError: more than `MAX_PARAMETERS` weights.
    """
    weight_shapes(settings)  # refuses what is too large
    return with_first_weights(HumanizerNetwork, settings, seed)


def nats_of(
    network: HumanizerNetwork, batch: Batch, noise: np.random.Generator | None = None
) -> tuple[Tensor, Tensor, int]:
    """Nats of a batch's hits on average and as played (velocity, offset each), and their number.

    Args:
        network: in training or evaluation mode.
        batch: what to score.
        noise: where given, a tenth of the earlier hits is corrupted by a bin or two, so that the
            player learns to keep its course when its own draws stray.

    Returns:
        two tensors of two sums, and the number of hits.
    """
    strokes = strokes_of(batch)
    heard = network.listen(batch)
    there = torch.from_numpy(strokes.there)
    velocity, offset = torch.from_numpy(strokes.velocity), torch.from_numpy(strokes.offset)

    def summed(logits: Tensor, truth: Tensor) -> Tensor:
        return functional.cross_entropy(logits[there], truth[there], reduction="sum")

    levels, places = network.on_average(heard, strokes)
    average = torch.stack([summed(levels, velocity), summed(places, offset)])
    sources = []
    for tokens, size in ((strokes.velocity, VELOCITY_BINS), (strokes.offset, OFFSETS)):
        if noise is not None:
            strayed = np.clip(tokens + noise.integers(-2, 3, tokens.shape), 0, size - 1)
            tokens = np.where(noise.random(tokens.shape) < 0.1, strayed, tokens)
        sources.append(torch.from_numpy(earlier(tokens, strokes)))
    around = network.around(network.at(heard, strokes), strokes, *sources)
    memory, _ = network.player(around)
    memory = functional.dropout(memory, network.settings.dropout, network.training)
    played = torch.stack(
        [
            summed(network.velocity_logits(memory, around), velocity),
            summed(network.offset_logits(memory, around, velocity.clamp(min=0)), offset),
        ]
    )
    return average, played, int(strokes.there.sum())
