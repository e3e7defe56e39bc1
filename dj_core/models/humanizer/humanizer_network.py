"""The humaniser's network: a bidirectional LSTM over hits, and decoders of velocity and timing.

The encoder reads which drums are struck in every 16th, before and after. Two ways lead on:

* **on average**: per hit, the odds of its velocity and of its offset, each on its own. Their
  medians and means are the best single guesses.
* **as played**: an LSTM goes from hit to hit, knows what it has played so far (the hit before, the
  same drum's last hit, and the one a bar ago), and draws. One draw is a performance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dj_core.errors import TrainingError
from dj_core.models.humanizer.performances import Batch
from dj_core.music.step_grid import LANES, MAX_STEPS_PER_BAR, METERS, OFFSETS, VELOCITY_BINS

MAX_PARAMETERS = 1_000_000
TEMPO_CENTRES_BPM = (60, 75, 90, 105, 120, 140, 165, 195)
LONGEST_AGE = 64  # 16ths beyond which a drum counts as not struck for long
SOURCES = 3  # the hit before, the same drum's last, the same drum's a bar ago


@dataclass(frozen=True)
class HumanizerSettings:
    """The shape of a humaniser.

    Attributes:
        genres: names known, '' (any) first.
        encoder: LSTM units per direction and layer, 8 to 256.
        player: units of the LSTM that goes from hit to hit, 8 to 256.
        units: of the layers before the odds, 8 to 512.
        dropout: share of units silenced while training.

    Raises:
        TrainingError: a value out of range.
    """

    genres: tuple[str, ...]
    encoder: int = 112
    player: int = 160
    units: int = 128
    dropout: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "genres", tuple(self.genres))  # JSON knows lists only
        if not self.genres or self.genres[0] != "" or len(set(self.genres)) != len(self.genres):
            raise TrainingError(f"genres are '' and distinct names; got {self.genres!r}.")
        for name, high in (("encoder", 256), ("player", 256), ("units", 512)):
            value = getattr(self, name)
            if type(value) is not int or not 8 <= value <= high:
                raise TrainingError(f"{name} is a whole number from 8 to {high}; got {value!r}.")
        if not 0 <= self.dropout < 1:
            raise TrainingError(f"dropout is 0 up to, not including, 1; got {self.dropout!r}.")


@dataclass(frozen=True)
class Strokes:
    """The hits of a batch in playing order: (most hits, streams), one column per stream.

    Attributes:
        there: whether this place holds a hit.
        step, lane: where it is.
        velocity, offset: tokens to learn, 0 to 32 and 0 to 24.
        gap: 16ths since the hit before, 0 within a 16th.
        last, bar_ago: place of the same drum's last hit, and of its hit a bar ago, in the same
            column; -1 for none.
        age: 16ths since that last hit.
    """

    there: np.ndarray
    step: np.ndarray
    lane: np.ndarray
    velocity: np.ndarray
    offset: np.ndarray
    gap: np.ndarray
    last: np.ndarray
    bar_ago: np.ndarray
    age: np.ndarray


def strokes_of(batch: Batch) -> Strokes:
    """The hits of a batch, one after another."""
    stream, step, lane = np.nonzero(batch.velocity.transpose(1, 0, 2))
    count = np.bincount(stream, minlength=len(batch.meter))
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    place = np.arange(len(stream)) - start[stream]
    shape = (int(count.max(initial=1)), len(count))

    def spread(values: np.ndarray, empty: int = 0) -> np.ndarray:
        table = np.full(shape, empty, np.int64)
        table[place, stream] = values
        return table

    same_stream = np.r_[False, stream[1:] == stream[:-1]] if len(stream) else np.zeros(0, bool)
    gap = np.where(same_stream, np.diff(step, prepend=0), LONGEST_AGE)
    # one number per stream and drum, then hits in time: neighbours are a drum's hits in order
    voice = stream * LANES + lane
    order = np.lexsort((step, voice))
    previous = np.full(len(order), -1)
    kin = voice[order][1:] == voice[order][:-1]
    previous[order[1:][kin]] = order[:-1][kin]
    known = previous >= 0
    last = np.where(known, place[previous], -1)
    age = np.where(known, step - step[previous], LONGEST_AGE)
    where = np.full((*batch.velocity.shape[:2], LANES), -1)
    where[step, stream, lane] = place
    earlier = step - batch.bar_steps[stream]
    bar_ago = np.where(earlier >= 0, where[earlier, stream, lane], -1)
    return Strokes(
        there=spread(np.ones(len(stream), np.int64)) > 0,
        step=spread(step),
        lane=spread(lane),
        velocity=spread(batch.velocity[step, stream, lane].astype(np.int64) - 1),
        offset=spread(batch.offset[step, stream, lane].astype(np.int64) - 1),
        gap=spread(gap),
        last=spread(last, -1),
        bar_ago=spread(bar_ago, -1),
        age=spread(age, LONGEST_AGE),
    )


class HumanizerNetwork(nn.Module):
    """See the module's text."""

    def __init__(self, settings: HumanizerSettings) -> None:
        super().__init__()
        self.settings = settings
        lane, token, condition, context = 16, 12, 24, 96
        self.genre = nn.Embedding(len(settings.genres), 16)
        asked = 16 + len(TEMPO_CENTRES_BPM) + 1 + len(METERS)
        self.condition = nn.Sequential(nn.Linear(asked, condition), nn.Tanh())
        clock = MAX_STEPS_PER_BAR + 4 + 6
        self.encoder = nn.LSTM(
            LANES + clock + condition,
            settings.encoder,
            num_layers=2,
            bidirectional=True,
            dropout=settings.dropout,
        )
        heard = 2 * settings.encoder
        self.context = nn.Linear(heard, context)
        self.lane = nn.Embedding(LANES, lane)
        self.level = nn.Embedding(VELOCITY_BINS + 1, token)  # 0 for none
        self.place = nn.Embedding(OFFSETS + 1, token)
        around = context + lane + SOURCES * 2 * token + 2
        self.player = nn.LSTM(around, settings.player)
        units = settings.units
        self.average = nn.Linear(heard + lane, units)
        self.average_velocity = nn.Linear(units, VELOCITY_BINS)
        self.average_offset = nn.Linear(units, OFFSETS)
        self.velocity_units = nn.Linear(settings.player + around, units)
        self.velocity = nn.Linear(units, VELOCITY_BINS)
        self.offset_units = nn.Linear(settings.player + around + token, units)
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
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        network = HumanizerNetwork(settings)
    count = sum(weight.numel() for weight in network.parameters())
    if count > MAX_PARAMETERS:
        raise TrainingError(
            f"This humaniser would have {count:,} weights; at most {MAX_PARAMETERS:,} are allowed. "
            "Use fewer units."
        )
    return network


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
        sources.append(earlier(tokens, strokes))
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


def earlier(tokens: np.ndarray, strokes: Strokes, now: slice = slice(None)) -> Tensor:
    """Tokens plus one of the three sources of hits, 0 for none: (hits, streams, 3).

    Args:
        tokens: of all hits, (hits, streams).
        strokes: all hits.
        now: those that are asked for.
    """
    streams = np.arange(tokens.shape[1])[None]
    at = np.arange(len(tokens))[now, None]
    parts = [np.where(at > 0, tokens[at[:, 0] - 1], -1)]
    for place in (strokes.last[now], strokes.bar_ago[now]):
        parts.append(np.where(place >= 0, tokens[place, streams], -1))
    return torch.from_numpy(np.stack(parts, -1) + 1)
