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
from dj_core.models.exact_product import ExactProduct, WholeProduct
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
_FADING = _FADING[:, None]
_EARLIER_PLACES = np.arange(EARLIER)
_DOUBT = np.float32(0.1)  # as in `moving_averages`


@dataclass
class Standing:
    """What of a block's takes stands still; arrays (rows, ...), to be indexed by row.

    Attributes:
        layers: of each LSTM layer's gates, what the conditions and biases make up.
        outlines: of the first layer's gates and of the heads, what the style's outline makes up at
            each 16th of two bars, (32, rows, ...).
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
            (gates[:, rows], heads[:, rows]),
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


Rows = slice | np.ndarray
"""Some of a block's rows."""

At = np.ndarray | tuple[np.ndarray, np.ndarray]
"""Where a 16th stands in a table: one index for all rows, or one for each of them."""


@dataclass(frozen=True)
class Reading:
    """What each 16th of a block's takes reads, as indices; the last 16th is the empty one.

    Attributes:
        seen: 16ths whose content is read: the one before, those `LAG_BARS` ago and those that
            follow the one a bar ago, (steps, rows, 1 + LAGS + 3).
        position, phrase, outlined: 16th in the bar, bar in the phrase and 16th of two bars,
            (steps,) where all bars are of one length, else (steps, rows).
    """

    seen: np.ndarray
    position: np.ndarray
    phrase: np.ndarray
    outlined: np.ndarray

    @classmethod
    def of(cls, steps: int, bar: np.ndarray, lag_steps: np.ndarray) -> Reading:
        """What is read in `steps` 16ths, of bars (rows,) and `LAG_BARS` (rows, LAGS) in 16ths."""
        now = np.arange(steps)[:, None, None]
        before = np.broadcast_to(now - 1, (steps, len(bar), 1))
        after = now - bar[:, None] + np.arange(1, NEXT_STEPS + 1)
        after = np.where(after < now, after, -1)
        seen = np.concatenate([before, now - lag_steps, after], axis=2)
        bars_played, position = np.divmod(now[..., 0], bar[:1] if (bar == bar[0]).all() else bar)
        phrase = bars_played % PHRASE_BARS
        if position.shape[1] == 1:
            position, phrase = position[:, 0], phrase[:, 0]
        outlined = (phrase * (OUTLINE_STEPS // 2) + position) % OUTLINE_STEPS
        return cls(np.where(seen >= 0, seen, steps), position, phrase, outlined)


@dataclass(frozen=True)
class Heard:
    """What has been played as the network reads it.

    Attributes:
        seen: content of the 16ths that `Reading.seen` names, (rows, 1 + LAGS + 3, CONTENT + 1).
        position, phrase, outlined: as in `Reading`, of this 16th.
    """

    seen: np.ndarray
    position: np.ndarray
    phrase: np.ndarray
    outlined: np.ndarray

    @property
    def lags(self) -> np.ndarray:
        """Lanes struck `LAG_BARS` ago, (rows, LAGS, 16)."""
        return self.seen[:, 1 : 1 + LAGS, :LANES]

    @property
    def known(self) -> np.ndarray:
        """1 where there was such a 16th, (rows, LAGS)."""
        return self.seen[:, 1 : 1 + LAGS, CONTENT]


def heard_at(now: int, content: np.ndarray, reading: Reading) -> Heard:
    """What is read before the 16th `now`.

    Args:
        now: counted from the takes' beginning.
        content: of all 16ths and, last, of an empty one, (rows, steps + 1, CONTENT + 1): what the
            network reads of each, and 1 where it has been played.
        reading: of these takes.
    """
    seen = content[np.arange(len(content))[:, None], reading.seen[now]]
    return Heard(seen, reading.position[now], reading.phrase[now], reading.outlined[now])


def at_rows(index: np.ndarray, rows: int) -> At:
    """Where each row's index is in a table (..., rows, n)."""
    return index if index.ndim == 0 else (index, np.arange(rows))


@dataclass(frozen=True)
class Strokes:
    """Strokes of a 16th before any of them is sounded, one per row of each array.

    Attributes:
        row: of the block.
        lane: of the drum table.
        struck: lanes of this 16th, (n, 16).
        earlier: tokens of the velocities and of the offsets of earlier strokes, (2, n, EARLIER);
            the last, of the stroke decided just before, is filled in when that is known.
        age_steps: 16ths since the lane was last struck.
    """

    row: np.ndarray
    lane: np.ndarray
    struck: np.ndarray
    earlier: np.ndarray
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
        self._seen = WholeProduct(_by_16ths(seen), largest=2.0)  # a roll of many strokes is 2
        self._layers = [
            WholeProduct(np.concatenate(parts, axis=1))
            for parts in zip([seen[:, :0], *below[1:]], before, strict=True)
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
        """Two products: lane units and copying gates, of LSTM and lagged lanes; stroke memory."""
        weights, hidden = self._weights, self.settings.hidden
        self._copies_lanes = self.settings.copying and self.settings.use_lags
        names = ["lanes.memory", *(["lanes.gates"] if self._copies_lanes else []), "strokes.memory"]
        heads = np.concatenate([weights[f"{name}.weight"] for name in names])
        self._head_bias = np.concatenate([weights[f"{name}.bias"] for name in names])
        remembered, outlines, asked = np.split(heads, [hidden, hidden + OUTLINED], axis=1)
        self._outline_heads, self._head_asked = ExactProduct(outlines), ExactProduct(asked)
        of_lanes, of_strokes = remembered[:-STROKE_MEMORY], remembered[-STROKE_MEMORY:]
        neighbours = np.zeros((len(of_lanes), 3 * LANES), np.float32)
        lanes = weights["lanes.neighbours"]
        if self.settings.use_lags:
            neighbours[: len(lanes)] = lanes[:, 2 * LANES :]
        self._lane_heads = WholeProduct(np.concatenate([of_lanes, neighbours], axis=1))
        self._stroke_memory = WholeProduct(of_strokes)

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
        struck, by_level, by_place, present, earlier_level, earlier_place, age, own, late = (
            np.split(
                near,
                np.cumsum([LANES] * 3 + [EARLIER] * 3 + [1, len(HALF_LIVES) * QUANTITIES]),
                axis=1,
            )
        )
        earlier = np.stack([present, earlier_level], axis=2)[:, :-1].reshape(len(near), -1)
        own = own.reshape(len(near), len(HALF_LIVES), QUANTITIES)[:, :, _OWN_ORDER]
        own = own.swapaxes(1, 2).reshape(len(near), -1)
        near = np.concatenate([struck, earlier, earlier_place[:, :-1], age, own, late], axis=1)
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
        # the strokes that the settings let the network see
        shown = [settings.use_lags] * len(COPIED_LAGS) + [True, settings.lanes_know_each_other]
        self._velocity = _CopyingHead(weights, "velocity", settings.copying, shown)
        self._offset = _CopyingHead(weights, "offset", settings.copying, shown)
        self._flam = _joined([of["second"], of["second_velocity"]])
        places, of_velocity = np.split(of["second_offset"][0], [len(flam)], axis=1)
        self._flam_offset = ExactProduct(places)
        self._flam_offset_of = ExactProduct(of_velocity)(level) + of["second_offset"][1]
        between, of_place = np.split(of["between"][0], [len(flam)], axis=1)
        self._between = ExactProduct(between)
        self._between_of = ExactProduct(of_place)(place) + of["between"][1]
        self._read_velocity, self._read_offset = _read_tokens(np.array(shown))
        (struck_just, level_just), place_just = self._read_velocity[-1].T, self._read_offset[-1]
        just = struck_just[:, None] * present[:, -1] + level_just[:, None] * earlier_level[:, -1]
        self._just_velocity = _wide(just, len(second))
        self._just_offset = _wide(place_just[:, None] * earlier_place[:, -1], len(second))
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
        outline = outline.swapaxes(0, 1)
        now_and_next = np.concatenate([outline, np.roll(outline, -1, axis=0)], axis=2)
        flat = now_and_next.reshape(OUTLINE_STEPS * rows, -1)
        return Standing(
            layers,
            (
                self._outline_gates(flat).reshape(OUTLINE_STEPS, rows, -1),
                self._outline_heads(flat).reshape(OUTLINE_STEPS, rows, -1),
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
        rows = len(heard.seen)
        below: tuple[np.ndarray, ...] = ()
        outputs, cells = [], []
        for layer, product in enumerate(self._layers):
            gates = product(*below, memory.hidden[layer])
            if layer == 0:
                gates += self._seen.of_few(heard.seen.reshape(rows, -1))
            gates += standing.layers[layer]
            if layer == 0:
                gates += self._position_table[heard.position] + self._phrase_table[heard.phrase]
                gates += standing.outlines[0][at_rows(heard.outlined, rows)]
            output, cell = after_gates(gates, memory.cell[layer])
            outputs.append(output)
            cells.append(cell)
            below = (output,)
        return Memory(outputs, cells)

    def lane_heads(
        self, heard: Heard, standing: Standing, memory: Memory, rows: Rows = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of some rows, lane units (n, 16, units) and copied logits (n, 16)."""
        outlined = standing.outlines[1][at_rows(heard.outlined, len(heard.seen))]
        lags = heard.lags[rows]
        neighbours = (lags[:, lag] for lag in (A_BAR, TWO_BARS, HALF_A_BAR))
        answers = self._lane_heads(memory.hidden[-1][rows], *neighbours)
        answers += standing.heads[rows, :-STROKE_MEMORY]
        answers += outlined[rows, :-STROKE_MEMORY]
        end = LANES * self.settings.lane_units
        units = answers[:, :end].reshape(len(lags), LANES, -1)
        if not self._copies_lanes:
            return units, np.zeros((len(lags), LANES), np.float32)
        gates = answers[:, end:].reshape(len(lags), LAGS, 2, LANES)
        silent = heard.known[rows][..., None] - lags
        return units, (gates[:, :, 0] * lags - gates[:, :, 1] * silent).sum(1)

    def stroke_memory(self, heard: Heard, standing: Standing, memory: Memory) -> np.ndarray:
        """What strokes of this 16th read of the LSTM, (rows, 96)."""
        answers = self._stroke_memory(memory.hidden[-1])
        answers += standing.heads[:, -STROKE_MEMORY:]
        outlined = standing.outlines[1][at_rows(heard.outlined, len(answers))]
        answers += outlined[:, -STROKE_MEMORY:]
        np.maximum(answers, 0, out=answers)
        return answers

    # --- strokes ---------------------------------------------------------------------------------

    def around(
        self, strokes: Strokes, memory: np.ndarray, recent: Recent, standing: Standing
    ) -> np.ndarray:
        """What a 16th's strokes are sounded by, (n, units), but for those sounded before them."""
        row, lane = strokes.row, strokes.lane
        velocity, offset = strokes.earlier[..., :-1]
        answers = self._around(
            memory[row],
            strokes.struck,
            self._read_velocity[_EARLIER_PLACES[:-1], velocity].reshape(len(row), -1),
            self._read_offset[_EARLIER_PLACES[:-1], offset],
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
        return self._velocity(np.maximum(around[:, : self._units], 0), earlier)

    def offset_logits(
        self, around: np.ndarray, earlier: np.ndarray, velocity: np.ndarray
    ) -> np.ndarray:
        """Logits (n, 25) of the offsets, given velocity bins."""
        units = around[:, self._units : 2 * self._units] + self._offset_of_velocity[velocity]
        return self._offset(np.maximum(units, 0, out=units), earlier)

    def flam_logits(
        self, around: np.ndarray, velocity: np.ndarray, offset: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logit (n,) of a second stroke, logits (n, 33) of its velocity, units for its offset."""
        units = around[:, 2 * self._units :] + self._flam_of_velocity[velocity]
        units += self._flam_of_offset[offset]
        np.maximum(units, 0, out=units)
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


def _read_tokens(shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is read of earlier strokes' tokens, where they are `shown` (EARLIER,).

    Of velocities whether there was a stroke, and its level, (EARLIER, tokens, 2); of offsets the
    place, (EARLIER, tokens).
    """
    velocities, offsets = (np.arange(tokens + 1) for tokens in (VELOCITY_BINS, OFFSETS))
    middle = OFFSETS // 2
    present = velocities > 0
    levels = np.stack([present, present * (velocities - 1) / (VELOCITY_BINS - 1)], axis=1)
    places = (offsets > 0) * (offsets - 1 - middle) / middle
    seen = shown.astype(np.float64)[:, None]
    return (seen[..., None] * levels).astype(np.float32), (seen * places).astype(np.float32)


def _by_16ths(seen: np.ndarray) -> np.ndarray:
    """Weights (out, in) of the content seen, of lanes that follow and of what is known, by 16th.

    Answers weights for whole contents and whether they were played, as `Heard.seen` has them.
    """
    content, following, known = np.split(
        seen, np.cumsum([CONTENT * (1 + LAGS), NEXT_STEPS * LANES]), axis=1
    )
    weights = np.zeros((len(seen), 1 + LAGS + NEXT_STEPS, CONTENT + 1), np.float32)
    weights[:, : 1 + LAGS, :CONTENT] = content.reshape(len(seen), 1 + LAGS, CONTENT)
    weights[:, 1 + LAGS :, :LANES] = following.reshape(len(seen), NEXT_STEPS, LANES)
    weights[:, 1 : 1 + LAGS, CONTENT] = known
    return weights.reshape(len(seen), -1)


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

    def __init__(
        self, weights: Mapping[str, np.ndarray], name: str, copying: bool, shown: list[bool]
    ) -> None:
        heads = [(weights[f"strokes.{name}.weight"], weights[f"strokes.{name}.bias"])]
        if copying:  # halves of tanh and of a sigmoid are one: gates are asked for negative
            gates = f"strokes.{name}_copies.gates"
            heads.append((-weights[f"{gates}.weight"], -weights[f"{gates}.bias"]))
        self._heads = _joined(heads)
        self._bins, self._copying = len(weights[f"strokes.{name}.bias"]), copying
        tables = weights[f"strokes.{name}_copies.tables"].copy()
        tables[~np.array(shown)] = tables[~np.array(shown), :1]  # as if there had been no stroke
        self._starts = np.arange(EARLIER) * tables.shape[1]
        self._tables = tables.reshape(-1, tables.shape[2])

    def __call__(self, units: np.ndarray, earlier: np.ndarray) -> np.ndarray:
        answers = self._heads(units)
        if not self._copying:
            return answers
        gates = np.exp(np.minimum(answers[:, self._bins :], 80.0))
        gates += 1
        np.divide(1, gates, out=gates)
        rows = self._tables[self._starts + earlier]
        logits: np.ndarray = answers[:, : self._bins] + (gates[:, None] @ rows)[:, 0]
        return logits


_OWN_ORDER = (0, 1, 3, 2, 4)
"""Known, means and spreads of velocity and offset, as `Recent` has them, among what training reads
of a stroke's own lane: known, mean and spread of its velocity, mean and spread of its offset."""


class Recent:
    """The running sums of `moving_averages` for a block, and what strokes read, in numpy.

    `sums` are (quantities, rows, half-lives, 16): strokes, velocity, offset, and their squares.
    """

    def __init__(self, rows: int) -> None:
        self.sums = np.zeros((QUANTITIES, rows, len(HALF_LIVES), LANES), np.float32)

    def fade(self, sounded: np.ndarray | None) -> None:
        """Go on by one 16th.

        Args:
            sounded: which lanes were struck in it, their levels and places, (rows, 3, 16); None
                where all was silent.
        """
        self.sums *= _FADING
        if sounded is not None:
            sounded = sounded.swapaxes(0, 1)[:, :, None]
            self.sums[:3] += sounded
            self.sums[3:] += sounded[1:] ** 2

    def read(self) -> None:
        """Work out what strokes of this 16th read."""
        weight = 1 / (self.sums[0] + _DOUBT)
        known_and_means = self.sums[:3] * weight
        spreads = self.sums[3:] * weight
        spreads -= known_and_means[1:] ** 2
        np.sqrt(np.maximum(spreads, np.float32(1e-6), out=spreads), out=spreads)
        self._own = np.concatenate([known_and_means, spreads])
        known, level, place = known_and_means
        self.shared = np.concatenate(
            [known[:, 0], place.reshape(len(place), -1), level[:, -1]], axis=1
        )

    def of_lanes(self, row: np.ndarray, lane: np.ndarray) -> np.ndarray:
        """Numbers of the strokes' own lanes, (n, quantities × half-lives)."""
        return self._own[:, row, :, lane].reshape(len(row), -1)


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
        self, units: np.ndarray, copied: np.ndarray, a_bar_ago: np.ndarray, demands: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lanes struck (n, 16), and the logits by which each was decided.

        Args:
            units, copied: as `StepwiseNetwork.heads` gives them, (n, 16, ...); units are changed.
            a_bar_ago: lanes struck a bar ago, (n, 16).
            demands: what a lane's logit has to exceed to be struck, (n, 16).
        """
        fixed = (copied + self._bias).astype(np.float64)
        if len(units) == 1:
            struck, logits = self._decide_one(units[0], fixed[0], a_bar_ago[0], demands[0])
            return struck[None], logits[None]
        struck = np.zeros(fixed.shape, bool)
        logits = self._logits(units) + fixed
        settled = np.full(len(units), -1)  # rank of the last lane that is decided
        rows = np.arange(len(units))
        while len(rows):
            strikes = (logits[rows] > demands[rows]) & (self._rank > settled[rows, None])
            first = np.where(strikes, self._rank, LANES).min(1)
            rows, first = rows[first < LANES], first[first < LANES]
            lane = _CHAIN[first]
            struck[rows, lane], settled[rows] = True, first
            units[rows] += self._weights[lane]
            again = a_bar_ago[rows, lane] > 0
            units[rows[again]] += self._weights[LANES + lane[again]]
            logits[rows] = self._logits(units[rows]) + fixed[rows]
        return struck, logits

    def _decide_one(
        self, units: np.ndarray, fixed: np.ndarray, a_bar_ago: np.ndarray, demands: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """`decide` for a single take, in fewer steps."""
        struck, rank = np.zeros(LANES, bool), 0
        while True:
            logits = self._logits(units) + fixed
            strikes = (logits > demands)[_CHAIN[rank:]].nonzero()[0]
            if not len(strikes):
                return struck, logits
            rank += int(strikes[0]) + 1
            lane = CHAIN[rank - 1]
            struck[lane] = True
            units += self._weights[lane]
            if a_bar_ago[lane] > 0:
                units += self._weights[LANES + lane]

    def _logits(self, units: np.ndarray) -> np.ndarray:
        heights = np.maximum(units, 0)
        heights *= self._output
        logits: np.ndarray = heights.sum(-1)
        return logits


_CHAIN = np.array(CHAIN)
LOGIT_LIMIT = 50.0  # beyond which odds are as good as certain


def odds(logits: np.ndarray) -> np.ndarray:
    """Chances of logits."""
    chances: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))
    return chances
