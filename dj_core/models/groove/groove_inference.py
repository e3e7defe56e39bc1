"""Inference of the groove network in numpy, one 16th at a time; it needs no torch.

`groove_network` is written to be trained: a window of many 16ths at once, gradients, dropout.
Playing needs one 16th after another, of one take or many, and there the calls cost more than the
sums. So the weights are laid out anew, once per model:

- what is asked of a take never changes: its share of every layer is summed up when it begins;
- clock, lane, velocity and offset are numbers out of small sets: their products are tables;
- what reads the same numbers is one product: all heads of a 16th, all three of a stroke.

A beat must depend on its seed and settings alone, not on how many are played beside it: products
are exact (`exact_product`), and everything else here goes row by row.

Nothing of a take is kept here: one `StepwiseNetwork` serves any number of them at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dj_core.models.exact_lstm import after_gates, halved
from dj_core.models.exact_product import ExactProduct
from dj_core.models.groove.groove_shape import (
    AROUND,
    CHAIN,
    CLOCK,
    CONTENT,
    EARLIER,
    HALF_LIVES,
    LAGS,
    LONGEST_AGE,
    OUTLINED,
    QUANTITIES,
    RECENT,
    STROKE_MEMORY,
    TEMPO_CENTRES_BPM,
    TOLD,
    GrooveSettings,
)
from dj_core.models.groove.streams import (
    A_BAR,
    COPIED_LAGS,
    HALF_A_BAR,
    LEVELS,
    NEXT_STEPS,
    PHRASE_BARS,
    TWO_BARS,
    Conditions,
)
from dj_core.models.groove.style_vector import (
    NUMBERS_OF_LANE,
    OUTLINE,
    OUTLINE_STEPS,
    OUTLINE_VOICES,
    SHARED_NAMES,
)
from dj_core.models.groove.training_clips import KINDS
from dj_core.music.genres import MOST_ENERGY, ROLES
from dj_core.music.step_grid import (
    LANES,
    MAX_STEPS_PER_BAR,
    METERS,
    OFFSETS,
    VELOCITY_BINS,
)

LANE_LANE = 16  # numbers of the network's lane embedding
LEVEL = 12  # numbers of its embeddings of velocity and offset
_FADING = np.array([0.5 ** (1 / half_life) for half_life in HALF_LIVES], np.float32)
_FADING = _FADING[:, None, None]
_EARLIER_PLACES = np.arange(EARLIER)
_DOUBT = np.float32(0.1)  # as in `moving_averages`


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


def heard_at(now: int, content: np.ndarray, bar: np.ndarray, lag_steps: np.ndarray) -> Heard:
    """What is read before the 16th `now`.

    Args:
        now: counted from the takes' beginning.
        content: of all 16ths and, last, of an empty one, (rows, steps + 1, CONTENT).
        bar: 16ths of a bar, (rows,).
        lag_steps: `LAG_BARS` in 16ths, (rows, LAGS).
    """
    rows, empty = np.arange(len(content))[:, None], content.shape[1] - 1
    lags = now - lag_steps
    lags = np.where(lags >= 0, lags, empty)
    before = np.full((len(content), 1), now - 1 if now else empty)
    after = (now - bar)[:, None] + np.arange(1, NEXT_STEPS + 1)
    after = np.where((after >= 0) & (after < now), after, empty)
    bars_played, position = np.divmod(now, bar)
    return Heard(
        content=content[rows, np.concatenate([before, lags], axis=1)],
        following=content[:, :, :LANES][rows, after],
        known=(lags != empty).astype(np.float32),
        position=position,
        phrase=bars_played % PHRASE_BARS,
    )


@dataclass(frozen=True)
class Strokes:
    """Strokes of a 16th before any of them is sounded, one per row of each array.

    Attributes:
        row: of the block.
        lane: of the drum table.
        struck: lanes of this 16th, (n, 16).
        earlier_velocity, earlier_offset: tokens (n, EARLIER) of earlier strokes; the last, of the
            stroke decided just before, is filled in when that is known.
        age_steps: 16ths since the lane was last struck.
    """

    row: np.ndarray
    lane: np.ndarray
    struck: np.ndarray
    earlier_velocity: np.ndarray
    earlier_offset: np.ndarray
    age_steps: np.ndarray


class StepwiseNetwork:
    """A groove network laid out for playing."""

    def __init__(self, settings: GrooveSettings, weights: Mapping[str, np.ndarray]) -> None:
        self.settings = settings
        self._weights = weights
        self._arrange_condition()
        self._arrange_layers()
        self._arrange_heads()
        self._arrange_strokes()
        self.lanes = LaneChain(settings, weights)

    def _arrange_condition(self) -> None:
        weights = self._weights
        self._genres = weights["genre.weight"]
        self._condition = [
            (ExactProduct(weights[f"condition.{layer}.weight"]), weights[f"condition.{layer}.bias"])
            for layer in (0, 2)
        ]

    def _arrange_layers(self) -> None:
        weights, hidden = self._weights, self.settings.hidden
        names = ["lstm", *(f"upper.{layer}" for layer in range(self.settings.layers - 1))]
        half = halved(hidden)
        below = [weights[f"{name}.weight_ih_l0"] * half[:, None] for name in names]
        before = [weights[f"{name}.weight_hh_l0"] * half[:, None] for name in names]
        self._biases = [
            (weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]) * half for name in names
        ]
        read = CONTENT * (1 + LAGS) + NEXT_STEPS * LANES + LAGS
        seen, time, outlines, summary = np.split(
            below[0], np.cumsum([read, CLOCK, OUTLINED]), axis=1
        )
        if not self.settings.use_lags:
            seen = seen.copy()
            seen[:, CONTENT:] = 0
        self._outline_gates, self._summary = ExactProduct(outlines), ExactProduct(summary)
        self._layers = [
            ExactProduct(np.concatenate(parts, axis=1))
            for parts in zip([seen, *below[1:]], before, strict=True)
        ]
        at = np.arange(MAX_STEPS_PER_BAR)
        eight = PHRASE_BARS // 2
        bar, of_4, of_6, phrase, which = np.split(
            time.T, np.cumsum([MAX_STEPS_PER_BAR, 4, 6, eight])
        )
        self._position_table = bar + of_4[at % 4] + of_6[at % 6]
        bars = np.arange(PHRASE_BARS)
        self._phrase_table = phrase[bars % eight] + which[bars // eight]

    def _arrange_heads(self) -> None:
        """One product: lane units, copying gates, stroke memory; of the LSTM and lagged lanes."""
        weights, hidden = self._weights, self.settings.hidden
        self._copies_lanes = self.settings.copying and self.settings.use_lags
        names = ["lanes.memory", "strokes.memory", *(["lanes.gates"] if self._copies_lanes else [])]
        heads = np.concatenate([weights[f"{name}.weight"] for name in names])
        self._head_bias = np.concatenate([weights[f"{name}.bias"] for name in names])
        remembered, outlines, asked = np.split(heads, [hidden, hidden + OUTLINED], axis=1)
        self._outline_heads, self._head_asked = ExactProduct(outlines), ExactProduct(asked)
        neighbours = np.zeros((len(heads), 3 * LANES), np.float32)
        lanes = weights["lanes.neighbours"]
        if self.settings.use_lags:
            neighbours[: len(lanes)] = lanes[:, 2 * LANES :]
        self._heads = ExactProduct(np.concatenate([remembered, neighbours], axis=1))
        self._head_ends = np.cumsum([LANES * self.settings.lane_units, STROKE_MEMORY])

    def _arrange_strokes(self) -> None:
        """One product for the units of velocity, offset and flam; then one each."""
        weights, settings = self._weights, self.settings
        of = {
            name: (weights[f"strokes.{name}.weight"], weights[f"strokes.{name}.bias"])
            for name in (
                "velocity_units", "offset_units", "second_units", "velocity", "offset", "second",
                "second_velocity", "second_offset", "between",
            )
        }  # fmt: skip
        lane, level, place = (
            weights[f"strokes.{name}.weight"] for name in ("lane", "level", "place")
        )
        velocity, offset, second = (
            of[f"{name}_units"][0] for name in ("velocity", "offset", "second")
        )
        self._units = len(velocity)
        told = len(SHARED_NAMES) + NUMBERS_OF_LANE.shape[1]
        cut = np.cumsum([STROKE_MEMORY, LANE_LANE, AROUND])
        memory, of_lane, near, self._told = np.split(
            np.concatenate([velocity, offset[:, : cut[-1] + told]]), cut, axis=1
        )
        near = near.copy()
        if not settings.lanes_know_each_other:
            near[:, LANES : 3 * LANES] = 0
        if not settings.use_recent:
            near[:, -RECENT:] = 0
        # known of all strokes of a 16th at once: lanes, earlier strokes but the one just before,
        # age and moving averages; what follows from those sounded before is added by tables
        struck, by_level, by_place, present, earlier_level, earlier_place, late = np.split(
            near, np.cumsum([LANES] * 3 + [EARLIER] * 3), axis=1
        )
        earlier = (present, earlier_level, earlier_place)
        near = np.concatenate([struck, *(part[:, :-1] for part in earlier), late], axis=1)
        self._by_level, self._by_place = (
            _wide(part.T, len(second)) for part in (by_level, by_place)
        )
        flam, flam_lane, flam_level, flam_place = np.split(
            second, np.cumsum([STROKE_MEMORY, LANE_LANE, LEVEL]), axis=1
        )
        nothing_near = np.zeros((len(flam), near.shape[1]), np.float32)
        self._around = ExactProduct(
            np.concatenate(
                [
                    np.concatenate([memory, near], axis=1),
                    np.concatenate([flam, nothing_near], axis=1),
                ]
            )
        )
        bias = np.concatenate([of[f"{name}_units"][1] for name in ("velocity", "offset", "second")])
        self._lane_told = ExactProduct(np.concatenate([of_lane, flam_lane]))(lane) + bias
        self._of_told = ExactProduct(self._told)
        self._offset_of_velocity = ExactProduct(offset[:, cut[-1] + told :])(level)
        self._flam_of_velocity = ExactProduct(flam_level)(level)
        self._flam_of_offset = ExactProduct(flam_place)(place)
        self._velocity = _CopyingHead(weights, "velocity", settings.copying)
        self._offset = _CopyingHead(weights, "offset", settings.copying)
        self._flam = _joined([of["second"], of["second_velocity"]])
        places, of_velocity = np.split(of["second_offset"][0], [len(flam)], axis=1)
        self._flam_offset = ExactProduct(places)
        self._flam_offset_of = ExactProduct(of_velocity)(level) + of["second_offset"][1]
        between, of_place = np.split(of["between"][0], [len(flam)], axis=1)
        self._between = ExactProduct(between)
        self._between_of = ExactProduct(of_place)(place) + of["between"][1]
        # the strokes that the settings let the network see
        shown = [settings.use_lags] * len(COPIED_LAGS) + [True, settings.lanes_know_each_other]
        self._shown = np.array(shown, np.int64)
        self._read_tokens = _read_tokens(self._shown.astype(np.float32))
        tokens = [part[-1][:, None] for part in self._read_tokens]
        just = tokens[0] * present[:, -1] + tokens[1] * earlier_level[:, -1]
        self._just_velocity = _wide(just, len(second))
        self._just_offset = _wide(tokens[2] * earlier_place[:, -1], len(second))
        ages = np.log2(np.maximum(np.arange(LONGEST_AGE + 1), 1)) / math.log2(LONGEST_AGE)
        self._ages = ages.astype(np.float32)[:, None]

    # --- what stands still -----------------------------------------------------------------------

    def sum_up(self, asked: Conditions) -> np.ndarray:
        """What is asked of each take: `condition` numbers that sum it up, then its style.

        The heads see the style as it is: squeezed through the summary it is followed badly.
        """
        tempo_bpm = np.asarray(asked.tempo_bpm, np.float32)
        known = (tempo_bpm > 0).astype(np.float32)[:, None]
        centres = np.log2(np.array(TEMPO_CENTRES_BPM, np.float32))
        away = np.log2(np.maximum(tempo_bpm, np.float32(1)))[:, None] - centres
        style = np.asarray(asked.style, np.float32)[:, :TOLD]
        parts = (
            self._genres[asked.genre],
            np.exp(-((away / np.float32(0.2)) ** 2)) * known,
            known,
            _one_hot(asked.meter, len(METERS)),
            _one_hot(asked.kind, len(KINDS)),
            _one_hot(asked.density, LEVELS + 1),
            _one_hot(asked.loudness, LEVELS + 1),
            _one_hot(asked.role, len(ROLES) + 1),
            _one_hot(asked.energy, MOST_ENERGY + 1),
            style,
            _one_hot(asked.style_source, 3),
        )
        (first, first_bias), (last, last_bias) = self._condition
        units = np.maximum(first(*parts) + first_bias, 0)
        return np.concatenate([last(units) + last_bias, style], axis=1)

    def stand(self, asked: Conditions) -> Standing:
        """Everything that follows from what is asked of takes alone."""
        rows = len(asked.genre)
        condition = self.sum_up(asked)
        layers = [self._summary(condition[:, : self.settings.condition]) + self._biases[0]]
        layers += [np.broadcast_to(bias, (rows, len(bias))) for bias in self._biases[1:]]
        style = condition[:, -TOLD:]
        shared = np.broadcast_to(
            style[:, None, : len(SHARED_NAMES)], (rows, LANES, len(SHARED_NAMES))
        )
        told = np.concatenate([shared, style[:, NUMBERS_OF_LANE]], axis=2)
        strokes = np.repeat(self._lane_told[None], rows, axis=0)
        strokes[:, :, : len(self._told)] += self._of_told(told.reshape(rows * LANES, -1)).reshape(
            rows, LANES, -1
        )
        outline = np.asarray(asked.style, np.float32)[:, OUTLINE].reshape(
            rows, OUTLINE_STEPS, len(OUTLINE_VOICES)
        )
        now_and_next = np.concatenate([outline, np.roll(outline, -1, axis=1)], axis=2)
        flat = now_and_next.reshape(rows * OUTLINE_STEPS, -1)
        return Standing(
            layers,
            (
                self._outline_gates(flat).reshape(rows, OUTLINE_STEPS, -1),
                self._outline_heads(flat).reshape(rows, OUTLINE_STEPS, -1),
            ),
            self._head_asked(condition) + self._head_bias,
            strokes,
        )

    # --- a 16th ----------------------------------------------------------------------------------

    def no_memory(self, rows: int) -> Memory:
        """The memory of takes that have not begun."""
        sizes = range(self.settings.layers)
        silent = [np.zeros((rows, self.settings.hidden), np.float32) for _ in sizes]
        return Memory(list(silent), list(silent))

    def remember(self, heard: Heard, standing: Standing, memory: Memory) -> Memory:
        """The memory after reading what has been played."""
        rows = len(heard.known)
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
            output, cell = after_gates(gates, memory.cell[layer])
            outputs.append(output)
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
        """What a 16th's strokes are sounded by, (n, units), but for those sounded before them."""
        row, lane = strokes.row, strokes.lane
        present, at_velocity, at_offset = self._read_tokens
        before = _EARLIER_PLACES[:-1], strokes.earlier_velocity[:, :-1]
        answers = self._around(
            memory[row],
            strokes.struck,
            present[before],
            at_velocity[before],
            at_offset[_EARLIER_PLACES[:-1], strokes.earlier_offset[:, :-1]],
            self._ages[np.minimum(strokes.age_steps, LONGEST_AGE)],
            recent.of_lanes(row, lane),
            recent.shared[row],
        )
        answers += standing.strokes[row, lane]
        return answers

    def just_before(self, velocity: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """Added to what a stroke is sounded by: tokens (n,) of the stroke decided before it."""
        added: np.ndarray = self._just_velocity[velocity] + self._just_offset[offset]
        return added

    def sounded(self, lane: np.ndarray, level: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Added for all later strokes of a 16th: one on this lane, at this level and place."""
        added: np.ndarray = level[:, None] * self._by_level[lane]
        added += place[:, None] * self._by_place[lane]
        return added

    def velocity_logits(self, around: np.ndarray, earlier: np.ndarray) -> np.ndarray:
        """Logits (n, 33) of the velocity bins; `earlier` are tokens (n, EARLIER)."""
        return self._velocity(np.maximum(around[:, : self._units], 0), earlier * self._shown)

    def offset_logits(
        self, around: np.ndarray, earlier: np.ndarray, velocity: np.ndarray
    ) -> np.ndarray:
        """Logits (n, 25) of the offsets, given velocity bins."""
        units = around[:, self._units : 2 * self._units] + self._offset_of_velocity[velocity]
        return self._offset(np.maximum(units, 0), earlier * self._shown)

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


def _wide(table: np.ndarray, columns: int) -> np.ndarray:
    """A table with so many columns of zeros more."""
    return np.pad(table, ((0, 0), (0, columns)))


def _one_hot(index: np.ndarray, size: int) -> np.ndarray:
    """Rows of zeros with a one each."""
    rows: np.ndarray = np.eye(size, dtype=np.float32)[index]
    return rows


def _joined(layers: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
    """Several layers, weight and bias, that read the same, as one; answers (n, all outputs)."""
    product = ExactProduct(np.concatenate([weight for weight, _ in layers]))
    bias = np.concatenate([bias for _, bias in layers])
    return lambda rows: product(rows) + bias


class _CopyingHead:
    """Logits from units and, through gated tables, from earlier strokes' values."""

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, copying: bool) -> None:
        parts = [f"strokes.{name}", *([f"strokes.{name}_copies.gates"] if copying else [])]
        self._heads = _joined([(weights[f"{p}.weight"], weights[f"{p}.bias"]) for p in parts])
        self._bins, self._copying = len(weights[f"strokes.{name}.bias"]), copying
        tables = weights[f"strokes.{name}_copies.tables"]
        self._starts = np.arange(EARLIER) * tables.shape[1]
        self._tables = tables.reshape(-1, tables.shape[2])

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

    def __init__(self, settings: GrooveSettings, weights: Mapping[str, np.ndarray]) -> None:
        self._rank = np.argsort(CHAIN)
        before = self._rank[None, :] < self._rank[:, None]  # [lane, other lane]
        before = before & settings.lanes_know_each_other
        mask = np.concatenate([before, before], axis=1).repeat(settings.lane_units, axis=0)
        neighbours = weights["lanes.neighbours"][:, : 2 * LANES] * mask
        by_lane = neighbours.reshape(LANES, settings.lane_units, 2 * LANES).transpose(2, 0, 1)
        self._weights = np.ascontiguousarray(by_lane)  # (struck, struck as a bar ago; lane, unit)
        self._output, self._bias = weights["lanes.output"], weights["lanes.bias"]

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
