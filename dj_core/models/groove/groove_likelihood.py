"""The likelihood of clips under a groove network: the training loss, and bits for reports."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dj_core.models.groove.groove_network import Asked, GrooveNetwork, Heard, Stroke
from dj_core.models.groove.groove_shape import CHAIN, LONGEST_AGE
from dj_core.models.groove.moving_averages import nothing_recent, quantities, recent_of, run_on
from dj_core.models.groove.streams import (
    COPIED_LAGS,
    LAG_BARS,
    Conditions,
    Scale,
    Window,
    whole_clips,
)
from dj_core.models.groove.style_vector import StyleSums
from dj_core.models.groove.training_clips import ClipSet
from dj_core.music.drum_classes import CLASSES as NAMED_CLASSES
from dj_core.music.drums import LANE
from dj_core.music.step_grid import (
    CEILING_BIN,
    LANES,
    MAX_OFFSET,
    MOST_BETWEEN,
    OFFSETS,
    VELOCITY_BINS,
)

CLASSES = tuple(drums for _, drums in NAMED_CLASSES)

Carried = tuple[Tensor, Tensor, Tensor]
"""What goes on from window to window: the LSTM's hidden and cell values, and the recent sums."""

CORRUPTED_CLIPS = 0.5  # share of clips that `ClipTensors.corrupt_inputs` gets wrong
CORRUPTED_BINS, CORRUPTED_TICKS = 1.5, 1.0  # spread of errors: velocity bins, 96ths of a quarter
DROPPED_HITS, ADDED_HITS = 0.05, 0.015  # in corrupted dance clips: share of hits, of silent cells
ADDED_VELOCITY_BINS = (6, 26)  # of a hit that is added: soft to loud
WINDOW_STEPS = 64


@dataclass(frozen=True)
class Nats:
    """Negative log likelihoods of a window; sums over its strokes, per (steps, streams).

    Attributes:
        hits: which lanes are struck.
        velocity, offset: of the strokes.
        second: flams and rolls, with their velocity, offset and number of strokes.
        right: 1 for 16ths in which every lane was given the likelier half.
    """

    hits: Tensor
    velocity: Tensor
    offset: Tensor
    second: Tensor
    right: Tensor

    def weighed(self, expression_weight: float) -> Tensor:
        """Their sum, with velocity, offset and flams counting less."""
        expression = self.velocity.sum() + self.offset.sum() + self.second.sum()
        return self.hits.sum() + expression_weight * expression


class ClipTensors:
    """A clip set as tensors, to be gathered by row: what is played, and what is heard of it.

    The two are the same until `corrupt_inputs` sets them apart.
    """

    def __init__(self, clips: ClipSet) -> None:
        self.clips = clips
        self.velocity = torch.from_numpy(clips.velocity)
        self.offset = torch.from_numpy(clips.offset)
        self.second_velocity = torch.from_numpy(clips.second_velocity)
        self.second_offset = torch.from_numpy(clips.second_offset)
        self.between = torch.from_numpy(clips.between)
        self.heard_velocity, self.heard_offset = self.velocity, self.offset
        self.before_row, self.before_lane = _strokes_before(self.velocity)

    def corrupt_inputs(self, generator: np.random.Generator) -> None:
        """From now on hear half of the clips louder or softer, later or earlier than they are.

        Every lane of such a clip is off by so much throughout. A network that plays hears its own
        errors; one that has only ever heard the truth follows them wherever they lead. This one
        learns to come back to the style it was asked for. In dance music, where bars repeat and an
        odd stroke would be copied on and on, hits are also left out and added.
        """
        clips, lengths = self.clips, np.diff(self.clips.starts)
        wrong = generator.random((len(lengths), 1)) < CORRUPTED_CLIPS
        for name, spread, bins in (
            ("velocity", CORRUPTED_BINS, VELOCITY_BINS),
            ("offset", CORRUPTED_TICKS, OFFSETS),
        ):
            off = generator.normal(0, spread, (len(lengths), 1))  # of all drums, and of each
            off = wrong * (off + generator.normal(0, spread, (len(lengths), LANES)))
            played = getattr(clips, name)
            heard = np.clip(np.round(played[:-1] + np.repeat(off, lengths, axis=0)), 1, bins)
            heard = np.vstack([np.where(played[:-1] > 0, heard, 0), played[-1:]])
            setattr(self, f"heard_{name}", torch.from_numpy(heard.astype(np.uint8)))
        self._corrupt_hits(wrong[:, 0] & clips.is_dance, generator)

    def _corrupt_hits(self, wrong: np.ndarray, generator: np.random.Generator) -> None:
        """Leave out and add heard hits, in lanes that the clips of `wrong` use."""
        clips = self.clips
        velocity, offset = self.heard_velocity.numpy(), self.heard_offset.numpy()
        for clip in np.flatnonzero(wrong):
            rows = slice(clips.starts[clip], clips.starts[clip + 1])
            struck = velocity[rows] > 0
            chance = generator.random(struck.shape)
            dropped = struck & (chance < DROPPED_HITS)
            added = ~struck & struck.any(0) & (chance < ADDED_HITS)
            velocity[rows][dropped], offset[rows][dropped] = 0, 0
            velocity[rows][added] = generator.integers(*ADDED_VELOCITY_BINS, added.sum())
            offset[rows][added] = 1 + MAX_OFFSET

    def content(self, rows: Tensor) -> Tensor:
        """What the network hears of steps: (..., 64)."""
        velocity, offset = self.heard_velocity[rows], self.heard_offset[rows]
        return content(velocity, offset, self.second_velocity[rows], self.between[rows])

    def heard(self, window: Window, recent: Tensor) -> Heard:
        """A window as the network reads it, with the running sums before each of its steps."""
        lags = torch.from_numpy(window.lags)  # (3, steps, streams)
        following = torch.from_numpy(window.following)
        return Heard(
            previous=self.content(torch.from_numpy(window.previous)),
            lags=self.content(lags).permute(1, 2, 0, 3).flatten(2),
            following=(self.heard_velocity[following] > 0).float().permute(1, 2, 0, 3).flatten(2),
            known=(lags != self.clips.steps).float().permute(1, 2, 0),
            position=torch.from_numpy(window.position),
            phrase=torch.from_numpy(window.phrase),
            recent=recent,
        )


def _strokes_before(velocity: Tensor) -> tuple[Tensor, Tensor]:
    """Row and lane of the stroke decided just before each one; row -1 before the first."""
    chain = torch.tensor(CHAIN)
    row, rank = (velocity[:, chain] > 0).nonzero(as_tuple=True)
    lane = chain[rank]
    rows = torch.full(velocity.shape, -1)
    lanes = torch.zeros(velocity.shape, dtype=torch.long)
    rows[row[1:], lane[1:]], lanes[row[1:], lane[1:]] = row[:-1], lane[:-1]
    return rows, lanes


def content(velocity: Tensor, offset: Tensor, second_velocity: Tensor, between: Tensor) -> Tensor:
    """Cells (..., 16) as the network reads them: struck, velocity, offset, rolled (..., 64)."""
    struck = (velocity > 0).float()
    level = struck * (velocity.float() - 1) / CEILING_BIN
    place = struck * (offset.float() - 1 - MAX_OFFSET) / MAX_OFFSET
    rolled = (second_velocity > 0).float() * (1 + between.float() / MOST_BETWEEN)
    return torch.cat([struck, level, place, rolled], dim=-1)


def asked_of(conditions: Conditions) -> Asked:
    """Conditions as tensors."""
    return Asked(
        **{
            name: torch.as_tensor(
                value, dtype=torch.float32 if name in ("tempo_bpm", "style") else torch.long
            )
            for name, value in vars(conditions).items()
        }
    )


def age_of(steps: Tensor) -> Tensor:
    """16ths since a lane's last stroke as the network reads it, 0 to 1."""
    return torch.log2(steps.float().clamp(1, LONGEST_AGE)) / math.log2(LONGEST_AGE)


def score(
    network: GrooveNetwork, tensors: ClipTensors, window: Window, state: Carried | None
) -> tuple[Nats, Carried]:
    """Nats of a window's 16ths given all before them, and the state after it."""
    memory, heard, state = remember(network, tensors, window, state)
    return nats_of(network, tensors, window, memory, heard), state


def nats_of(
    network: GrooveNetwork, tensors: ClipTensors, window: Window, memory: Tensor, heard: Heard
) -> Nats:
    """Nats of a window whose past the network remembers."""
    inside = torch.from_numpy(window.inside)
    velocity = tensors.velocity[torch.from_numpy(window.places)]
    struck = (velocity > 0).float()
    lags = heard.lags.unflatten(-1, (len(LAG_BARS), -1))[..., :LANES]
    logits = network.lanes(memory, lags, heard.known, struck)
    hits = functional.binary_cross_entropy_with_logits(logits, struck, reduction="none")
    at, parts = _stroke_nats(network, tensors, window, memory, heard)
    sums = [torch.zeros_like(hits[..., 0]).index_put(at, part, accumulate=True) for part in parts]
    right = ((logits > 0) == (struck > 0)).all(-1) & inside
    return Nats(hits.sum(-1) * inside, sums[0], sums[1], sums[2], right)


def remember(
    network: GrooveNetwork, tensors: ClipTensors, window: Window, state: Carried | None
) -> tuple[Tensor, Heard, Carried]:
    """The network's memory over a window, what it heard, and what goes on after it."""
    streams = len(window.origin)
    kept = torch.from_numpy(~window.fresh).float()[:, None]
    hidden, cell = network.empty_state(streams) if state is None else state[:2]
    sums = nothing_recent(streams) if state is None else state[2]
    places = torch.from_numpy(window.places)
    played = quantities(tensors.heard_velocity[places], tensors.heard_offset[places])
    recent, sums = run_on(sums * kept[..., None, None], played)
    heard = tensors.heard(window, recent)
    asked = asked_of(window.conditions)
    condition, before = network.sum_up(asked), (hidden * kept, cell * kept)
    memory, (hidden, cell) = network.remember(heard, condition, asked.style, before)
    return memory, heard, (hidden, cell, sums)


def _stroke_nats(
    network: GrooveNetwork, tensors: ClipTensors, window: Window, memory: Tensor, heard: Heard
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """(steps, streams) of every stroke, and its nats of velocity, offset and second stroke."""
    places = torch.from_numpy(window.places)
    time, stream, lane = (tensors.velocity[places] > 0).nonzero(as_tuple=True)
    row = places[time, stream]
    stroke = _strokes(network, tensors, window, memory, heard, (time, stream, lane, row))
    head = network.strokes
    core, around = head.begin(stroke)
    velocity = tensors.velocity[row, lane].long() - 1
    offset = tensors.offset[row, lane].long() - 1
    velocity_nats = functional.cross_entropy(
        head.velocity_logits(around, stroke), velocity, reduction="none"
    )
    offset_nats = functional.cross_entropy(
        head.offset_logits(around, stroke, velocity), offset, reduction="none"
    )
    second_velocity = tensors.second_velocity[row, lane].long() - 1
    second_offset = tensors.second_offset[row, lane].long() - 1
    flam = (second_velocity >= 0).float()
    logit, levels, units = head.second_logits(core, velocity, offset)
    second_nats = functional.binary_cross_entropy_with_logits(logit, flam, reduction="none")
    places_logits = head.second_offset_logits(units, second_velocity.clamp(min=0))
    second_nats = second_nats + flam * (
        functional.cross_entropy(levels, second_velocity.clamp(min=0), reduction="none")
        + functional.cross_entropy(places_logits, second_offset.clamp(min=0), reduction="none")
        + functional.cross_entropy(
            head.between_logits(units, second_offset.clamp(min=0)),
            tensors.between[row, lane].long(),
            reduction="none",
        )
    )
    return (time, stream), (velocity_nats, offset_nats, second_nats)


def _strokes(
    network: GrooveNetwork,
    tensors: ClipTensors,
    window: Window,
    memory: Tensor,
    heard: Heard,
    at: tuple[Tensor, Tensor, Tensor, Tensor],
) -> Stroke:
    """The strokes `at` (time, stream, lane, row), each with what it depends on."""
    time, stream, lane, row = at
    now = content(
        tensors.velocity[row],
        tensors.offset[row],
        tensors.second_velocity[row],
        tensors.between[row],
    )
    struck, velocities, offsets, _ = now.chunk(4, dim=-1)
    before = network.lanes.mask[:, :LANES].view(LANES, -1, LANES)[:, 0][lane]
    last = torch.from_numpy(window.last)[time, stream, lane].long()
    lags = torch.from_numpy(window.lags)[list(COPIED_LAGS)][:, time, stream]
    never = last == tensors.clips.steps
    before_row, before_lane = tensors.before_row[row, lane], tensors.before_lane[row, lane]
    first = before_row < torch.from_numpy(window.origin)[stream]
    before_row = torch.where(first, tensors.clips.steps, before_row)
    # (EARLIER, n); the empty row holds zeros
    rows = torch.cat([lags, last[None], before_row[None]])
    lanes = torch.cat([lane.expand(len(rows) - 1, -1), before_lane[None]])
    return Stroke(
        memory=network.strokes.project(memory[time, stream]),
        lane=lane,
        struck=struck,
        velocities=velocities * before,
        offsets=offsets * before,
        earlier_velocity=tensors.heard_velocity[rows, lanes].long().T,
        earlier_offset=tensors.heard_offset[rows, lanes].long().T,
        recent=recent_of(heard.recent[time, stream], lane),
        age=age_of(torch.where(never, LONGEST_AGE, row - last)),
    )


@dataclass(frozen=True)
class Bits:
    """Bits to quote.

    Attributes:
        hits_per_step: of the nine classes of `CLASSES`, per 16th.
        lanes_per_step: of all sixteen lanes, per 16th.
        velocity_per_hit, offset_per_hit: per stroke (one a lane and 16th).
        second_per_hit: flams with their velocity and offset, per stroke.
        total_per_bar: all but the nine classes together, per bar.
        steps, strokes, bars: what was counted.
    """

    hits_per_step: float
    lanes_per_step: float
    velocity_per_hit: float
    offset_per_hit: float
    second_per_hit: float
    total_per_bar: float
    steps: int
    strokes: int
    bars: float


def bits_of(
    network: GrooveNetwork,
    scale: Scale,
    clips: ClipSet,
    *,
    with_past_style: bool = True,
    streams: int = 32,
) -> Bits:
    """Bits of whole clips, each 16th given all before it in its clip and what is told of the clip.

    Told are genre, tempo, meter and kind. A style, where there is one, is read off the bars that
    are already over, never off those to come.
    """
    total = dict.fromkeys(("hits", "lanes", "velocity", "offset", "second"), 0.0)
    for tensors, window, memory, heard in _heard_through(
        network, scale, clips, with_past_style, streams
    ):
        nats = nats_of(network, tensors, window, memory, heard)
        classes = _class_nats(network, tensors, window, memory, heard)
        parts = (classes, nats.hits, nats.velocity, nats.offset, nats.second)
        for name, part in zip(total, parts, strict=True):
            total[name] += float(part.double().sum()) / math.log(2)
    strokes = int((clips.velocity > 0).sum())
    bars = float((np.diff(clips.starts) / clips.bar_steps).sum())
    return Bits(
        hits_per_step=total["hits"] / clips.steps,
        lanes_per_step=total["lanes"] / clips.steps,
        velocity_per_hit=total["velocity"] / strokes,
        offset_per_hit=total["offset"] / strokes,
        second_per_hit=total["second"] / strokes,
        total_per_bar=(sum(total.values()) - total["hits"]) / bars,
        steps=clips.steps,
        strokes=strokes,
        bars=bars,
    )


def validate(
    network: GrooveNetwork, scale: Scale, clips: ClipSet, expression_weight: float
) -> dict[str, float]:
    """Loss per 16th in nats as in training, parts of it, and the share of 16ths foretold."""
    sums = np.zeros(5)
    for tensors, window, memory, heard in _heard_through(network, scale, clips, True, 32):
        nats = nats_of(network, tensors, window, memory, heard)
        parts = (nats.hits, nats.velocity, nats.offset, nats.second, nats.right)
        sums += [float(part.double().sum()) for part in parts]
    hits, velocity, offset, second, right = (sums / clips.steps).tolist()
    return {
        "loss": hits + expression_weight * (velocity + offset + second),
        "accuracy": right,
        "hits": hits,
        "velocity": velocity,
        "offset": offset,
        "second": second,
    }


def _heard_through(
    network: GrooveNetwork, scale: Scale, clips: ClipSet, with_past_style: bool, streams: int
) -> Iterator[tuple[ClipTensors, Window, Tensor, Heard]]:
    """Whole clips, window by window, with what the network remembers of them."""
    tensors, sums = ClipTensors(clips), StyleSums(clips)
    network.eval()
    state: Carried | None = None
    group = -1
    with torch.inference_mode():
        for clip, window in whole_clips(
            clips, sums, scale, WINDOW_STEPS, streams, with_past_style=with_past_style
        ):
            if clip[0] != group:
                group, state = clip[0], None
            memory, heard, state = remember(network, tensors, window, state)
            yield tensors, window, memory, heard


def _class_nats(
    network: GrooveNetwork, tensors: ClipTensors, window: Window, memory: Tensor, heard: Heard
) -> Tensor:
    """Nats of the nine classes: the exact sum over the lanes that may have made each class.

    The other lanes come last in the chain and drop out of the sum.
    """
    struck = (tensors.velocity[torch.from_numpy(window.places)] > 0).float()
    lags = heard.lags.unflatten(-1, (len(LAG_BARS), -1))[..., :LANES]
    own, copied = network.lanes.from_memory(memory, lags, heard.known)
    counted = torch.zeros(LANES)
    counted[[LANE[name] for names in CLASSES for name in names]] = 1
    likelihoods = []
    for lanes, possible in _ways(struck):
        logits = network.lanes.given_lanes(own, copied, lags, lanes)
        nats = functional.binary_cross_entropy_with_logits(logits, lanes, reduction="none")
        likelihoods.append((-nats * counted).sum(-1).where(possible, torch.tensor(-torch.inf)))
    return -torch.logsumexp(torch.stack(likelihoods), 0) * torch.from_numpy(window.inside)


def _ways(struck: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Every choice of lanes that gives the classes of `struck`, and where it does.

    A class of two lanes is struck by the first, the second or both; a silent class by neither.
    """
    pairs = [[LANE[name] for name in names] for names in CLASSES if len(names) == 2]
    ways = []
    for choice in itertools.product(((1, 0), (0, 1), (1, 1)), repeat=len(pairs)):
        lanes, possible = struck.clone(), torch.ones_like(struck[..., 0], dtype=torch.bool)
        for pair, values in zip(pairs, choice, strict=True):
            sounds = struck[..., pair].amax(-1)
            lanes[..., pair] = sounds[..., None] * torch.tensor(values, dtype=torch.float32)
            if values != (1, 0):  # silence is counted once
                possible &= sounds > 0
        ways.append((lanes, possible))
    return ways


def bits_as_json(bits: Bits) -> dict[str, float]:
    """Bits with as many digits as mean something."""
    return {name: round(value, 4) for name, value in asdict(bits).items()}
