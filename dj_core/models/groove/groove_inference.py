"""Inference of the groove network in numpy, one 16th at a time: the same odds, faster than torch.

`groove_network` is written to be trained: a window of many 16ths at once, gradients, dropout.
Playing needs one 16th after another, of one take or many, and there the calls cost more than the
sums. So the weights are laid out anew, once per model:

- what is asked of a take never changes: its share of every layer is summed up when it begins;
- clock, lane, velocity and offset are numbers out of small sets: their products are tables;
- what reads the same numbers is one product: all heads of a 16th, all three of a stroke.

Products are of `ROWS` rows, filled up if need be. Others may be rounded otherwise, and a beat must
depend on its seed and settings alone, not on how many are played beside it. One of `FEW_ROWS` does
for few takes where it is seen to come to the same bits. Everything else here goes row by row and is
numpy, whose calls on small arrays cost a third of torch's.

Nothing of a take is kept here: one `StepwiseNetwork` serves any number of them at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from dj_core.models.groove.groove_likelihood import LONGEST_AGE, age_of
from dj_core.models.groove.groove_network import (
    CHAIN,
    CLOCK,
    CONTENT,
    EARLIER,
    LAGS,
    OUTLINED,
    STROKE_MEMORY,
    TOLD,
    Asked,
    Copies,
    GrooveNetwork,
    outline_at,
)
from dj_core.models.groove.moving_averages import HALF_LIVES, QUANTITIES, RECENT
from dj_core.models.groove.streams import A_BAR, HALF_A_BAR, PHRASE_BARS, TWO_BARS
from dj_core.models.groove.style_vector import NUMBERS_OF_LANE, OUTLINE_STEPS, SHARED_NAMES
from dj_core.music.step_grid import LANES, MAX_STEPS_PER_BAR, OFFSETS, VELOCITY_BINS

ROWS = 8
"""Rows of every product. So many cost hardly more than one (the weights have to be read either
way), and sixty-four at once would gain a tenth."""

FEW_ROWS = 4
"""Rows of a product for so few; a third sooner than `ROWS`, and no later than one."""

LANE_LANE = 16  # numbers of the network's lane embedding
_ALIGNED = 16  # numbers: 64 bytes, so that every block of rows lies alike in memory
_WORTH_PACKING = 150_000
"""Weights from which oneDNN's packed product wins, by 1.2 to 1.8 times. The call is the one that
torch's own compiler emits for a linear layer; plain `mm` wins for small ones."""
_GATES = 4  # of an LSTM: input, forget, cell, output
_CELL_GATE = 2
_FADING = np.array([0.5 ** (1 / half_life) for half_life in HALF_LIVES], np.float32)
_FADING = _FADING[:, None, None]
_EARLIER_PLACES = np.arange(EARLIER)
_DOUBT = np.float32(0.1)  # as in `moving_averages`


def padded(rows: int) -> int:
    """`rows`, rounded up to whole blocks."""
    return -(-rows // ROWS) * ROWS


class Product:
    """`rows @ weight.T`, block by block; a row's answer depends on that row alone."""

    def __init__(self, weight: Tensor) -> None:
        """Keep `weight` (out, in), with zeros for what fills up the rows."""
        outputs, inputs = weight.shape
        kept = torch.zeros(outputs, -(-inputs // _ALIGNED) * _ALIGNED)
        kept[:, :inputs] = weight.detach()
        self.width, self._packed = inputs, None
        self._weight = kept.t().contiguous().numpy()
        if kept.numel() >= _WORTH_PACKING and torch.backends.mkldnn.is_available():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(kept, ROWS)
        # every thread that plays writes rows of its own, so often that new memory would cost more
        self._desk = threading.local()
        self._few = 0
        self._few = FEW_ROWS if self._few_come_out_alike() else 0

    def __call__(self, *parts: np.ndarray) -> np.ndarray:
        """Answers (n, out) to rows (n, in) that the parts make up side by side."""
        rows = len(parts[0])
        read, blocks = self._blank(rows)
        np.concatenate(parts, axis=1, out=read[:rows, : self.width], casting="same_kind")
        if self._packed is not None:
            linear, packed = torch.ops.mkldnn._linear_pointwise.default, self._packed
            answers = [linear(block, packed, None, "none", [], "").numpy() for block in blocks]
        else:
            answers = [block @ self._weight for block in blocks]
        return answers[0][:rows] if len(answers) == 1 else np.concatenate(answers)[:rows]

    def _few_come_out_alike(self) -> bool:
        """Whether this machine's product of `FEW_ROWS` has the bits of one of `ROWS`."""
        chance = np.random.default_rng(1)
        some = chance.standard_normal((ROWS, self.width)).astype(np.float32)
        many = self(some).copy()
        self._few = FEW_ROWS
        few = [self(some[first : first + FEW_ROWS]).copy() for first in range(0, ROWS, FEW_ROWS)]
        return np.array_equal(many, np.concatenate(few))

    def _blank(self, rows: int) -> tuple[np.ndarray, list[Any]]:
        """Memory for `rows`, 64-byte aligned as are all blocks in it, and those blocks.

        Beyond the rows that are written it holds what was there before, of which nothing comes:
        a row's answer depends on that row alone.
        """
        rows = self._few if rows <= self._few else padded(rows)
        kept = cast("dict[int, tuple[np.ndarray, list[Any]]]", self._desk.__dict__)
        if rows not in kept:
            memory = torch.zeros(rows, len(self._weight))
            blocks = memory.split(ROWS)
            packed = self._packed is not None
            kept[rows] = memory.numpy(), blocks if packed else [part.numpy() for part in blocks]
        return kept[rows]


@dataclass
class Standing:
    """What of a block's takes stands still; arrays (rows, ...), to be indexed by row.

    Attributes:
        layers: of each LSTM layer's gates, what the conditions and biases make up.
        outlines: of the first layer's gates and of the heads, what the style's outline makes up at
            each 16th of two bars, (rows, 32, ...).
        heads: likewise of lanes, copying gates and stroke memory.
        strokes: likewise of velocity, offset and flam units, per lane.
    """

    layers: list[np.ndarray]
    outlines: tuple[np.ndarray, np.ndarray]
    heads: np.ndarray
    strokes: np.ndarray

    def of(self, rows: np.ndarray) -> Standing:
        """The same for `rows` in their order."""
        gates, heads = self.outlines
        return Standing(
            [layer[rows] for layer in self.layers],
            (gates[rows], heads[rows]),
            self.heads[rows],
            self.strokes[rows],
        )


@dataclass
class Memory:
    """What the LSTM remembers: per layer hidden and cell values, (rows, units)."""

    hidden: list[np.ndarray]
    cell: list[np.ndarray]

    def of(self, rows: np.ndarray) -> Memory:
        """The same for `rows` in their order."""
        return Memory([part[rows] for part in self.hidden], [part[rows] for part in self.cell])


@dataclass(frozen=True)
class Heard:
    """What has been played as the network reads it; arrays (rows, ...).

    Attributes:
        content: of the 16th before and of those `LAG_BARS` ago, (rows, 1 + LAGS, CONTENT).
        following: lanes struck in the 16ths after the one a bar ago, (rows, 3, 16).
        known: 1 where there was such a 16th, (rows, LAGS).
        position, phrase: 16th in the bar, bar in the phrase.
    """

    content: np.ndarray
    following: np.ndarray
    known: np.ndarray
    position: np.ndarray
    phrase: np.ndarray

    @property
    def outlined(self) -> np.ndarray:
        """16th of two bars, (rows,)."""
        steps: np.ndarray = (self.phrase * (OUTLINE_STEPS // 2) + self.position) % OUTLINE_STEPS
        return steps

    @property
    def lags(self) -> np.ndarray:
        """Lanes struck `LAG_BARS` ago, (rows, LAGS, 16)."""
        return self.content[:, 1:, :LANES]


@dataclass(frozen=True)
class Strokes:
    """Strokes to be sounded, one per row of each array, as `network.Stroke` describes them.

    Attributes:
        row: of the block.
        lane: of the drum table.
        struck, velocities, offsets: of the 16th so far, (n, 16).
        earlier_velocity, earlier_offset: tokens (n, EARLIER).
        age_steps: 16ths since the lane was last struck.
    """

    row: np.ndarray
    lane: np.ndarray
    struck: np.ndarray
    velocities: np.ndarray
    offsets: np.ndarray
    earlier_velocity: np.ndarray
    earlier_offset: np.ndarray
    age_steps: np.ndarray


class StepwiseNetwork:
    """A `GrooveNetwork` laid out for playing. Call it inside `torch.inference_mode`."""

    def __init__(self, network: GrooveNetwork) -> None:
        self.network = network.eval()
        self.settings = network.settings
        self._arrange_layers()
        self._arrange_heads()
        self._arrange_strokes()
        self.lanes = LaneChain(network)

    def _arrange_layers(self) -> None:
        network, hidden = self.network, self.settings.hidden
        layers = [network.lstm, *network.upper]
        # half the argument and tanh instead of a sigmoid: one call for all four gates
        half = torch.full((_GATES, hidden), 0.5)
        half[_CELL_GATE] = 1.0
        half = half.flatten()
        weights = [layer.weight_ih_l0.detach() * half[:, None] for layer in layers]
        biases = [(layer.bias_ih_l0 + layer.bias_hh_l0).detach() * half for layer in layers]
        read = CONTENT * (1 + LAGS) + 3 * LANES + LAGS
        seen, time, self._outline_gates, self._summary = weights[0].split(
            [read, CLOCK, OUTLINED, self.settings.condition], dim=1
        )
        if not self.settings.use_lags:
            seen = torch.cat([seen[:, :CONTENT], torch.zeros_like(seen[:, CONTENT:])], dim=1)
        self._layers = [
            Product(torch.cat([below, layer.weight_hh_l0.detach() * half[:, None]], dim=1))
            for below, layer in zip([seen, *weights[1:]], layers, strict=True)
        ]
        self._biases = biases
        at = np.arange(MAX_STEPS_PER_BAR)
        time = time.t().numpy()
        eight = PHRASE_BARS // 2
        bar, of_4, of_6, phrase, which = np.split(time, np.cumsum([MAX_STEPS_PER_BAR, 4, 6, eight]))
        self._position_table = bar + of_4[at % 4] + of_6[at % 6]
        bars = np.arange(PHRASE_BARS)
        self._phrase_table = phrase[bars % eight] + which[bars // eight]

    def _arrange_heads(self) -> None:
        """One product: lane units, copying gates, stroke memory; of the LSTM and lagged lanes."""
        lanes, strokes, hidden = self.network.lanes, self.network.strokes, self.settings.hidden
        copying = self.settings.copying and self.settings.use_lags
        heads = [lanes.memory, strokes.memory, *([lanes.gates] if copying else [])]
        weights = torch.cat([head.weight.detach() for head in heads])
        self._head_bias = torch.cat([head.bias.detach() for head in heads])
        asked = weights.shape[1] - hidden - OUTLINED
        remembered, self._outline_heads, self._head_asked = weights.split(
            [hidden, OUTLINED, asked], dim=1
        )
        neighbours = torch.zeros(len(weights), 3 * LANES)
        neighbours[: len(lanes.neighbours)] = (lanes.neighbours * lanes.mask)[:, 2 * LANES :]
        self._heads = Product(torch.cat([remembered, neighbours], dim=1))
        self._head_ends = np.cumsum([LANES * self.settings.lane_units, STROKE_MEMORY])
        self._copies_lanes = copying

    def _arrange_strokes(self) -> None:
        """One product for the units of velocity, offset and flam; then one each."""
        head, settings = self.network.strokes, self.settings
        velocity, offset = head.velocity_units, head.offset_units
        self._units = velocity.out_features
        told = len(SHARED_NAMES) + NUMBERS_OF_LANE.shape[1]
        around = 3 * LANES + 3 * EARLIER + 1 + RECENT
        cut = [STROKE_MEMORY, LANE_LANE, around, told]
        memory, lane, near, self._told = torch.cat(
            [velocity.weight.detach(), offset.weight.detach()[:, : sum(cut)]]
        ).split(cut, dim=1)
        near = near.clone()
        if not settings.lanes_know_each_other:
            near[:, LANES : 3 * LANES] = 0
        if not settings.use_recent:
            near[:, -RECENT:] = 0
        level = head.level.weight.shape[1]
        second = head.second_units.weight.detach()
        flam, flam_lane, by_level, by_place = second.split(
            [STROKE_MEMORY, LANE_LANE, level, level], dim=1
        )
        nothing_near = torch.zeros(len(flam), around)
        self._around = Product(
            torch.cat([torch.cat([memory, near], 1), torch.cat([flam, nothing_near], 1)])
        )
        embedded, levels, places = (e.weight.detach() for e in (head.lane, head.level, head.place))
        bias = torch.cat([velocity.bias, offset.bias, head.second_units.bias]).detach()
        self._lane_told = embedded @ torch.cat([lane, flam_lane]).t() + bias
        self._offset_of_velocity = (levels @ offset.weight.detach()[:, sum(cut) :].t()).numpy()
        self._flam_of_velocity = (levels @ by_level.t()).numpy()
        self._flam_of_offset = (places @ by_place.t()).numpy()
        self._velocity = _CopyingHead(head.velocity, head.velocity_copies, settings.copying)
        self._offset = _CopyingHead(head.offset, head.offset_copies, settings.copying)
        self._flam = _joined(head.second, head.second_velocity)
        places, of_velocity = head.second_offset.weight.detach().split([len(flam), level], dim=1)
        self._flam_offset = Product(places)
        self._flam_offset_of = (levels @ of_velocity.t() + head.second_offset.bias.detach()).numpy()
        between, of_place = head.between.weight.detach().split([len(flam), level], dim=1)
        self._between = Product(between)
        embedded_places = head.place.weight.detach()
        self._between_of = (embedded_places @ of_place.t() + head.between.bias.detach()).numpy()
        self._shown = head._shown().numpy().astype(np.int64)
        self._read_tokens = _read_tokens(head._shown().numpy())
        self._ages = age_of(torch.arange(LONGEST_AGE + 1)).numpy()[:, None]

    # --- what stands still -----------------------------------------------------------------------

    def stand(self, asked: Asked) -> Standing:
        """Everything that follows from what is asked of a block's takes alone."""
        rows = len(asked.genre)
        filled = torch.arange(padded(rows)).clamp(max=rows - 1)
        asked = Asked(**{name: part[filled] for name, part in vars(asked).items()})
        blocks = [self._stand(asked, first) for first in range(0, rows, ROWS)]
        return Standing(
            [
                np.concatenate(parts)[:rows]
                for parts in zip(*(block.layers for block in blocks), strict=True)
            ],
            (
                np.concatenate([block.outlines[0] for block in blocks])[:rows],
                np.concatenate([block.outlines[1] for block in blocks])[:rows],
            ),
            np.concatenate([block.heads for block in blocks])[:rows],
            np.concatenate([block.strokes for block in blocks])[:rows],
        )

    def _stand(self, asked: Asked, first: int) -> Standing:
        rows = {name: part[first : first + ROWS] for name, part in vars(asked).items()}
        condition = self.network.sum_up(Asked(**rows))
        summary = condition[:, : self.settings.condition]
        layers = [torch.nn.functional.linear(summary, self._summary, self._biases[0])]
        layers += [bias.expand(ROWS, -1) for bias in self._biases[1:]]
        heads = torch.nn.functional.linear(condition, self._head_asked, self._head_bias)
        style = condition[:, -TOLD:]
        voices = style[:, torch.from_numpy(NUMBERS_OF_LANE)]
        shared = style[:, None, : len(SHARED_NAMES)].expand(-1, LANES, -1)
        strokes = self._lane_told.repeat(ROWS, 1, 1)
        told = torch.cat([shared, voices], dim=-1)
        for row in range(ROWS):
            strokes[row, :, : len(self._told)] += told[row] @ self._told.t()
        at = torch.arange(OUTLINE_STEPS)[:, None].expand(-1, ROWS)
        outline = outline_at(rows["style"], at, torch.zeros_like(at)).transpose(0, 1)
        gates, of_heads = (
            torch.nn.functional.linear(outline, weight).numpy()
            for weight in (self._outline_gates, self._outline_heads)
        )
        return Standing(
            [layer.numpy() for layer in layers],
            (gates, of_heads),
            heads.numpy(),
            strokes.numpy(),
        )

    # --- a 16th ----------------------------------------------------------------------------------

    def no_memory(self, rows: int) -> Memory:
        """The memory of takes that have not begun."""
        sizes = range(self.settings.layers)
        silent = [np.zeros((rows, self.settings.hidden), np.float32) for _ in sizes]
        return Memory(list(silent), list(silent))

    def remember(self, heard: Heard, standing: Standing, memory: Memory) -> Memory:
        """The memory after reading what has been played."""
        rows, hidden = len(heard.known), self.settings.hidden
        content = heard.content.reshape(rows, -1)
        below: tuple[np.ndarray, ...] = (content, heard.following.reshape(rows, -1), heard.known)
        added = self._position_table[heard.position] + self._phrase_table[heard.phrase]
        outputs, cells = [], []
        for layer, product in enumerate(self._layers):
            gates = product(*below, memory.hidden[layer])
            gates += standing.layers[layer]
            if layer == 0:
                gates += added
                gates += standing.outlines[0][np.arange(rows), heard.outlined]
            np.tanh(gates, out=gates)
            enter, forget, fresh, leave = gates.reshape(rows, _GATES, hidden).swapaxes(0, 1)
            # 2 sigmoid(x) = 1 + tanh(x / 2)
            cell = (forget + 1) * memory.cell[layer]
            cell += (enter + 1) * fresh
            cell *= 0.5
            outputs.append((leave + 1) * np.tanh(cell) * np.float32(0.5))
            cells.append(cell)
            below = (outputs[-1],)
        return Memory(outputs, cells)

    def heads(
        self, heard: Heard, standing: Standing, memory: Memory
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lane units (rows, 16, n), copied logits (rows, 16) and stroke memory (rows, 96)."""
        rows, lags = len(heard.known), heard.lags
        neighbours = (lags[:, lag] for lag in (A_BAR, TWO_BARS, HALF_A_BAR))
        answers = self._heads(memory.hidden[-1], *neighbours)
        answers += standing.heads
        answers += standing.outlines[1][np.arange(rows), heard.outlined]
        ends = self._head_ends
        units = answers[:, : ends[0]].reshape(rows, LANES, -1)
        stroke_memory = np.maximum(answers[:, ends[0] : ends[1]], 0)
        if not self._copies_lanes:
            return units, np.zeros((rows, LANES), np.float32), stroke_memory
        gates = answers[:, ends[1] :].reshape(rows, LAGS, 2, LANES)
        silent = heard.known[..., None] - lags
        copied = (gates[:, :, 0] * lags - gates[:, :, 1] * silent).sum(1)
        return units, copied, stroke_memory

    # --- strokes ---------------------------------------------------------------------------------

    def around(
        self, strokes: Strokes, memory: np.ndarray, recent: Recent, standing: Standing
    ) -> np.ndarray:
        """What the three methods below need of strokes, (n, units)."""
        row, lane = strokes.row, strokes.lane
        present, at_velocity, at_offset = self._read_tokens
        before = _EARLIER_PLACES, strokes.earlier_velocity
        answers = self._around(
            memory[row],
            strokes.struck,
            strokes.velocities,
            strokes.offsets,
            present[before],
            at_velocity[before],
            at_offset[_EARLIER_PLACES, strokes.earlier_offset],
            self._ages[np.minimum(strokes.age_steps, LONGEST_AGE)],
            recent.of_lanes(row, lane),
            recent.shared[row],
        )
        answers += standing.strokes[row, lane]
        return answers

    def velocity_logits(self, around: np.ndarray, strokes: Strokes) -> np.ndarray:
        """Logits (n, 33) of the velocity bins."""
        units = np.maximum(around[:, : self._units], 0)
        return self._velocity(units, strokes.earlier_velocity * self._shown)

    def offset_logits(
        self, around: np.ndarray, strokes: Strokes, velocity: np.ndarray
    ) -> np.ndarray:
        """Logits (n, 25) of the offsets, given velocity bins."""
        units = around[:, self._units : 2 * self._units] + self._offset_of_velocity[velocity]
        return self._offset(np.maximum(units, 0), strokes.earlier_offset * self._shown)

    def flam_logits(
        self, around: np.ndarray, velocity: np.ndarray, offset: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logit (n,) of a second stroke, logits (n, 33) of its velocity, units for its offset."""
        units = around[:, 2 * self._units :] + self._flam_of_velocity[velocity]
        units = np.maximum(units + self._flam_of_offset[offset], 0)
        answers = self._flam(units)
        return answers[:, 0], answers[:, 1:], units

    def flam_offset_logits(self, units: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Logits (n, 25) of the second stroke's offset, given its velocity bin."""
        logits: np.ndarray = self._flam_offset(units) + self._flam_offset_of[velocity]
        return logits

    def between_logits(self, units: np.ndarray, second_offset: np.ndarray) -> np.ndarray:
        """Logits (n, 7) of how many strokes lie between the two, given the second's offset."""
        logits: np.ndarray = self._between(units) + self._between_of[second_offset]
        return logits


def _read_tokens(shown: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is read of earlier strokes' tokens: struck, velocity, offset; each (EARLIER, tokens)."""
    velocities, offsets = (np.arange(tokens + 1) for tokens in (VELOCITY_BINS, OFFSETS))
    middle = OFFSETS // 2
    tables = (
        velocities > 0,
        (velocities > 0) * (velocities - 1) / (VELOCITY_BINS - 1),
        (offsets > 0) * (offsets - 1 - middle) / middle,
    )
    present, at_velocity, at_offset = ((shown[:, None] * t).astype(np.float32) for t in tables)
    return present, at_velocity, at_offset


def _joined(*layers: nn.Linear) -> Callable[[np.ndarray], np.ndarray]:
    """Several layers that read the same, as one; answers (n, all their outputs)."""
    product = Product(torch.cat([layer.weight.detach() for layer in layers]))
    bias = torch.cat([layer.bias.detach() for layer in layers]).numpy()
    return lambda rows: product(rows) + bias


class _CopyingHead:
    """Logits from units and, through gated tables, from earlier strokes' values."""

    def __init__(self, layer: nn.Linear, copies: Copies, copying: bool) -> None:
        self._bins, self._copying = layer.out_features, copying
        self._heads = _joined(layer, copies.gates) if copying else _joined(layer)
        tables = copies.tables.detach()
        self._starts = np.arange(EARLIER) * tables.shape[1]
        self._tables = tables.flatten(0, 1).numpy()

    def __call__(self, units: np.ndarray, earlier: np.ndarray) -> np.ndarray:
        answers = self._heads(units)
        if not self._copying:
            return answers
        gates = 1 / (1 + np.exp(-np.maximum(answers[:, self._bins :], -80.0)))
        rows = self._tables[self._starts + earlier]
        logits: np.ndarray = answers[:, : self._bins] + (gates[:, None] @ rows)[:, 0]
        return logits


class Recent:
    """The running sums of `moving_averages` for a block, and what strokes read, in numpy."""

    def __init__(self, rows: int) -> None:
        self.sums = np.zeros((rows, len(HALF_LIVES), LANES, QUANTITIES), np.float32)

    def fade(self, hit: np.ndarray, levels: np.ndarray, places: np.ndarray) -> None:
        """Go on by one 16th, in which lanes (rows, 16) were struck at these levels and places."""
        self.sums = _FADING * self.sums
        for quantity, added in enumerate((hit, levels, levels**2, places, places**2)):
            self.sums[..., quantity] += added[:, None]

    def read(self) -> None:
        """Work out what strokes of this 16th read."""
        count, level, level_2, place, place_2 = (self.sums[..., q] for q in range(QUANTITIES))
        weight = 1 / (count + _DOUBT)
        means, squares = (level * weight, place * weight), (level_2, place_2)
        spreads = [
            np.sqrt(np.maximum(square * weight - mean**2, np.float32(1e-6)))
            for mean, square in zip(means, squares, strict=True)
        ]
        known = count * weight
        self._own = np.empty_like(self.sums)
        for quantity, values in enumerate((known, means[0], spreads[0], means[1], spreads[1])):
            self._own[..., quantity] = values
        rows = len(known)
        self.shared = np.concatenate(
            [known[:, 0], means[1].reshape(rows, -1), means[0][:, -1]], axis=1
        )

    def of_lanes(self, row: np.ndarray, lane: np.ndarray) -> np.ndarray:
        """Numbers of the strokes' own lanes, (n, half-lives × 5)."""
        return self._own[row, :, lane].reshape(len(row), -1)


Wanted = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Given logits (n, 16) and the rows of the block that they belong to: which lanes these strike."""


class LaneChain:
    """The lanes of a 16th, decided one after another: a lane knows those before it.

    Silent lanes change nothing for those after them. So all are asked at once, the first that
    strikes is believed, and those after it are asked again: as many rounds as there are strokes,
    not as there are lanes.
    """

    def __init__(self, network: GrooveNetwork) -> None:
        head = network.lanes
        neighbours = (head.neighbours * head.mask).detach()[:, : 2 * LANES]
        weights = neighbours.unflatten(0, (LANES, -1)).permute(2, 0, 1)
        self._weights = weights.contiguous().numpy()  # (struck, struck as a bar ago; lane, unit)
        self._output, self._bias = head.output.detach().numpy(), head.bias.detach().numpy()
        self._rank = np.argsort(CHAIN)

    def decide(
        self, units: np.ndarray, copied: np.ndarray, a_bar_ago: np.ndarray, wanted: Wanted
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lanes struck (n, 16), and the logits by which each was decided.

        Args:
            units, copied: as `StepwiseNetwork.heads` gives them, (n, 16, ...).
            a_bar_ago: lanes struck a bar ago, (n, 16).
            wanted: decides by logits.
        """
        units, fixed = units.copy(), (copied + self._bias).astype(np.float64)
        struck = np.zeros(fixed.shape, bool)
        settled = np.full(len(units), -1)  # rank of the last lane that is decided
        logits = self._logits(units) + fixed
        rows = np.arange(len(units))
        while len(rows):
            strikes = wanted(logits[rows], rows) & (self._rank > settled[rows, None])
            first = np.where(strikes, self._rank, LANES).min(1)
            rows, first = rows[first < LANES], first[first < LANES]
            lane = _CHAIN[first]
            struck[rows, lane], settled[rows] = True, first
            units[rows] += self._weights[lane]
            again = a_bar_ago[rows, lane] > 0
            units[rows[again]] += self._weights[LANES + lane[again]]
            logits[rows] = self._logits(units[rows]) + fixed[rows]
        return struck, logits

    def _logits(self, units: np.ndarray) -> np.ndarray:
        logits: np.ndarray = (np.maximum(units, 0) * self._output).sum(-1)
        return logits


_CHAIN = np.array(CHAIN)
LOGIT_LIMIT = 50.0  # beyond which odds are as good as certain


def odds(logits: np.ndarray) -> np.ndarray:
    """Chances of logits."""
    chances: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
    return chances
