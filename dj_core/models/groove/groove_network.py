"""The groove network: odds of the next 16th's drums, velocities, offsets and flams.

Per 16th an LSTM reads the 16th before, those one, two and four bars and a half and a quarter bar
ago, where in the bar and the phrase it is, and what the take is asked to be. From its memory
follow, in this order:

1. which lanes are struck, one after another (a lane knows those before it);
2. the velocity, then the offset, of every stroke, given the strokes before it in the 16th;
3. whether it is a flam (a second stroke), with the second's velocity and offset.

What repeats is copied directly: gates weigh the lagged 16ths' strokes in on the lanes' logits, and
tables from a lane's earlier velocity and offset in on the next one's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dj_core.models.groove.groove_shape import (
    AROUND,
    ASKED,
    CHAIN,
    CLOCK,
    CONTENT,
    EARLIER,
    LAGS,
    OUTLINED,
    STROKE_MEMORY,
    TEMPO_CENTRES_BPM,
    TOLD,
    GrooveSettings,
    weight_shapes,
)
from dj_core.models.groove.streams import (
    A_BAR,
    COPIED_LAGS,
    HALF_A_BAR,
    LEVELS,
    NEXT_STEPS,
    PHRASE_BARS,
    TWO_BARS,
)
from dj_core.models.groove.style_vector import (
    NUMBERS_OF_LANE,
    OUTLINE,
    OUTLINE_STEPS,
    OUTLINE_VOICES,
    SHARED_NAMES,
)
from dj_core.models.groove.training_clips import KINDS
from dj_core.models.network_weights import with_first_weights
from dj_core.music.genres import MOST_ENERGY, ROLES
from dj_core.music.step_grid import (
    CEILING_BIN,
    LANES,
    MAX_OFFSET,
    MAX_STEPS_PER_BAR,
    METERS,
    MOST_BETWEEN,
    OFFSETS,
    VELOCITY_BINS,
)

State = tuple[Tensor, Tensor]
"""What the LSTM remembers: hidden and cell values, (layers, streams, units)."""


@dataclass(frozen=True)
class Asked:
    """`batches.Conditions` as tensors, one row per stream."""

    genre: Tensor
    tempo_bpm: Tensor
    meter: Tensor
    kind: Tensor
    density: Tensor
    loudness: Tensor
    role: Tensor
    energy: Tensor
    style: Tensor
    style_source: Tensor


@dataclass(frozen=True)
class Heard:
    """What is read before a 16th is decided; tensors (..., n).

    Attributes:
        previous: content (64) of the 16th before.
        lags: content (5 × 64) of the 16ths `LAG_BARS` ago.
        following: which lanes (3 × 16) followed it a bar ago.
        known: 1 where there was such a 16th (5).
        position, phrase: 16th in the bar, bar in the phrase; whole numbers (...).
        recent: running sums before the 16th, see `moving_averages`
            (..., half-lives, 16, quantities).
    """

    previous: Tensor
    lags: Tensor
    following: Tensor
    known: Tensor
    position: Tensor
    phrase: Tensor
    recent: Tensor


@dataclass(frozen=True)
class Stroke:
    """What a stroke's velocity and offset depend on; one row per stroke.

    Attributes:
        memory: the LSTM's output, the condition and the style, as `StrokeHead.project` gives them.
        lane: row of the drum table.
        struck: lanes of this 16th, (n, 16).
        velocities, offsets: of the strokes decided before it, (n, 16), in -1 to 1, else 0.
        earlier_velocity, earlier_offset: tokens (n, `EARLIER`) of earlier strokes; 0 for none,
            else 1 + bin.
        recent: what `moving_averages.recent_of` says of the lane and the others.
        age: 16ths since the lane was last struck, logarithmic, 0 to 1.
    """

    memory: Tensor
    lane: Tensor
    struck: Tensor
    velocities: Tensor
    offsets: Tensor
    earlier_velocity: Tensor
    earlier_offset: Tensor
    recent: Tensor
    age: Tensor


class GrooveNetwork(nn.Module):
    """See the module's text."""

    def __init__(self, settings: GrooveSettings) -> None:
        super().__init__()
        self.settings = settings
        size, hidden = settings.condition, settings.hidden
        self.genre = nn.Embedding(len(settings.genres), 24)
        self.condition = nn.Sequential(
            nn.Linear(ASKED, 2 * size), nn.ReLU(), nn.Linear(2 * size, size)
        )
        read = CONTENT * (1 + LAGS) + NEXT_STEPS * LANES + LAGS
        self.lstm = nn.LSTM(read + CLOCK + OUTLINED + size, hidden, 1)
        self.upper = nn.ModuleList(nn.LSTM(hidden, hidden, 1) for _ in range(settings.layers - 1))
        self.lanes = LaneHead(hidden + OUTLINED + size + TOLD, settings)
        self.strokes = StrokeHead(hidden + OUTLINED + size + TOLD, settings)

    def sum_up(self, asked: Asked) -> Tensor:
        """What is asked of each stream: `condition` numbers that sum it up, then its style.

        The heads see the style as it is: squeezed through the summary it is followed badly.
        """
        known = (asked.tempo_bpm > 0).float()[:, None]
        centres = torch.tensor(TEMPO_CENTRES_BPM, dtype=torch.float32)
        distance = torch.log2(asked.tempo_bpm.clamp(min=1.0))[:, None] - torch.log2(centres)
        tempo = torch.exp(-((distance / 0.2) ** 2)) * known
        parts = (
            self.genre(asked.genre),
            tempo,
            known,
            functional.one_hot(asked.meter, len(METERS)).float(),
            functional.one_hot(asked.kind, len(KINDS)).float(),
            functional.one_hot(asked.density, LEVELS + 1).float(),
            functional.one_hot(asked.loudness, LEVELS + 1).float(),
            functional.one_hot(asked.role, len(ROLES) + 1).float(),
            functional.one_hot(asked.energy, MOST_ENERGY + 1).float(),
            asked.style[:, :TOLD],
            functional.one_hot(asked.style_source, 3).float(),
        )
        summary = self.condition(torch.cat(parts, dim=-1))
        return torch.cat([summary, asked.style[:, :TOLD]], dim=-1)

    def remember(
        self, heard: Heard, condition: Tensor, style: Tensor, state: State | None
    ) -> tuple[Tensor, State]:
        """Read (steps, streams) 16ths; returns memory and condition at each, and the state.

        Args:
            heard: what was played before each 16th.
            condition: as `sum_up` gives it.
            style: of each stream, for its outline (streams, STYLE_SIZE).
            state: to go on from.
        """
        read = torch.cat([heard.previous, heard.lags, heard.following, heard.known], dim=-1)
        if not self.settings.use_lags:
            read = torch.cat([heard.previous, torch.zeros_like(read[..., CONTENT:])], dim=-1)
        read = functional.dropout(read, self.settings.input_drop, self.training)
        clock = (
            functional.one_hot(heard.position, MAX_STEPS_PER_BAR),
            functional.one_hot(heard.position % 4, 4),
            functional.one_hot(heard.position % 6, 6),
            functional.one_hot(heard.phrase % (PHRASE_BARS // 2), PHRASE_BARS // 2),
            functional.one_hot(heard.phrase // (PHRASE_BARS // 2), 2),
        )
        outline = outline_at(style, heard.position, heard.phrase)
        here = condition.expand(len(read), -1, -1)
        summary = here[..., : self.settings.condition]
        output = torch.cat([read, torch.cat(clock, dim=-1).float(), outline, summary], dim=-1)
        states = []
        for layer, lstm in enumerate((self.lstm, *self.upper)):
            one = slice(layer, layer + 1)
            before = None if state is None else (state[0][one], state[1][one])
            output, after = self._run(lstm, output, before)
            output = functional.dropout(output, self.settings.dropout, self.training)
            states.append(after)
        hidden, cell = (torch.cat(parts) for parts in zip(*states, strict=True))
        return torch.cat([output, outline, here], dim=-1), (hidden, cell)

    def _run(self, lstm: nn.LSTM, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        if len(inputs) == 1 and state is not None and not torch.is_grad_enabled():
            before = [part[0] for part in state]
            after = torch.lstm_cell(inputs[0], before, *lstm.all_weights[0])
            return after[0][None], (after[0][None], after[1][None])  # a tenth of a call's overhead
        answer: tuple[Tensor, State]
        if self.training and self.settings.weight_drop:
            kept = functional.dropout(lstm.get_parameter("weight_hh_l0"), self.settings.weight_drop)
            answer = torch.func.functional_call(lstm, {"weight_hh_l0": kept}, (inputs, state))
        else:
            answer = lstm(inputs, state)
        return answer

    def empty_state(self, streams: int) -> State:
        """The state of streams that remember nothing."""
        shape = (self.settings.layers, streams, self.settings.hidden)
        return torch.zeros(shape), torch.zeros(shape)


def outline_at(style: Tensor, position: Tensor, phrase: Tensor) -> Tensor:
    """What the outlines say of 16ths and of the ones after them, (steps, streams, OUTLINED).

    Args:
        style: of each stream (streams, STYLE_SIZE).
        position, phrase: as in `Heard`, (steps, streams).
    """
    outlines = style[:, OUTLINE].unflatten(-1, (OUTLINE_STEPS, len(OUTLINE_VOICES)))
    step = (phrase * (OUTLINE_STEPS // 2) + position) % OUTLINE_STEPS
    stream = torch.arange(len(style))
    now, after = (outlines[stream, at] for at in (step, (step + 1) % OUTLINE_STEPS))
    return torch.cat([now, after], dim=-1)


class LaneHead(nn.Module):
    """Which lanes are struck: a small network per lane, all evaluated at once."""

    mask: Tensor

    def __init__(self, memory: int, settings: GrooveSettings) -> None:
        super().__init__()
        self.settings = settings
        units = settings.lane_units
        self.memory = nn.Linear(memory, LANES * units)
        self.neighbours = nn.Parameter(torch.randn(LANES * units, 5 * LANES) * 0.1)
        self.output = nn.Parameter(torch.randn(LANES, units) / math.sqrt(units))
        self.bias = nn.Parameter(torch.full((LANES,), -2.0))
        self.gates = nn.Linear(memory, LAGS * 2 * LANES)
        nn.init.zeros_(self.gates.weight)
        nn.init.zeros_(self.gates.bias)
        rank = torch.empty(LANES, dtype=torch.long)
        rank[torch.tensor(CHAIN)] = torch.arange(LANES)
        before = (rank[None, :] < rank[:, None]).float()  # [lane, other lane]
        if not settings.lanes_know_each_other:
            before = torch.zeros_like(before)
        # of earlier lanes: struck, struck as a bar ago; of all: one, two and half a bar ago
        open_ = torch.ones(LANES, LANES) * float(settings.use_lags)
        mask = torch.cat([before, before, open_, open_, open_], dim=1)
        self.register_buffer("mask", mask.repeat_interleave(units, dim=0), persistent=False)

    def forward(self, memory: Tensor, lags: Tensor, known: Tensor, struck: Tensor) -> Tensor:
        """Logits (..., 16), each given the true lanes before it.

        Args:
            memory: (..., m).
            lags: lanes struck `LAG_BARS` ago (..., 5, 16).
            known: whether there was such a 16th (..., 5).
            struck: lanes struck now (..., 16).
        """
        own, copied = self.from_memory(memory, lags, known)
        return self.given_lanes(own, copied, lags, struck)

    def from_memory(self, memory: Tensor, lags: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The part that does not depend on this 16th's lanes: (units' inputs, copied logits)."""
        own = self.memory(memory)
        if not (self.settings.copying and self.settings.use_lags):
            return own, torch.zeros_like(lags[..., 0, :])
        gates = self.gates(memory).unflatten(-1, (LAGS, 2, LANES))
        silent = known[..., None] - lags
        copied = (gates[..., 0, :] * lags - gates[..., 1, :] * silent).sum(-2)
        return own, copied

    def settled(self, lags: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The lagged lanes that every lane sees, whatever is struck now."""
        return lags[..., A_BAR, :], lags[..., TWO_BARS, :], lags[..., HALF_A_BAR, :]

    def given_lanes(self, own: Tensor, copied: Tensor, lags: Tensor, struck: Tensor) -> Tensor:
        """Logits (..., 16) from `from_memory`'s answer and the lanes known so far."""
        seen = torch.cat([struck, struck * lags[..., A_BAR, :], *self.settled(lags)], dim=-1)
        units = own + functional.linear(seen, self.neighbours * self.mask)
        of_lanes: Tensor = torch.relu(units).unflatten(-1, (LANES, -1))
        return (of_lanes * self.output).sum(-1) + copied + self.bias


class StrokeHead(nn.Module):
    """Velocity, offset and flam of a stroke."""

    voices: Tensor

    def __init__(self, memory: int, settings: GrooveSettings) -> None:
        super().__init__()
        self.settings = settings
        units, lane, level = settings.stroke_units, 16, 12
        self.memory = nn.Linear(memory, STROKE_MEMORY)
        self.lane = nn.Embedding(LANES, lane)
        self.level = nn.Embedding(VELOCITY_BINS, level)
        self.place = nn.Embedding(OFFSETS, level)
        told = len(SHARED_NAMES) + NUMBERS_OF_LANE.shape[1]
        around = AROUND + told
        self.velocity_units = nn.Linear(STROKE_MEMORY + lane + around, units)
        self.offset_units = nn.Linear(STROKE_MEMORY + lane + around + level, units)
        self.second_units = nn.Linear(STROKE_MEMORY + lane + 2 * level, units // 2)
        self.register_buffer("voices", torch.from_numpy(NUMBERS_OF_LANE), persistent=False)
        self.velocity = nn.Linear(units, VELOCITY_BINS)
        self.offset = nn.Linear(units, OFFSETS)
        self.second = nn.Linear(units // 2, 1)
        self.second_velocity = nn.Linear(units // 2, VELOCITY_BINS)
        self.second_offset = nn.Linear(units // 2 + level, OFFSETS)
        self.between = nn.Linear(units // 2 + level, MOST_BETWEEN + 1)
        self.velocity_copies = Copies(units, VELOCITY_BINS)
        self.offset_copies = Copies(units, OFFSETS)

    def project(self, memory: Tensor) -> Tensor:
        """What strokes need of the network's memory, and the style, (..., n)."""
        return torch.cat([torch.relu(self.memory(memory)), memory[..., -TOLD:]], dim=-1)

    def begin(self, stroke: Stroke) -> tuple[Tensor, Tensor]:
        """The memory with the lane, and the same with all around it; for the methods below."""
        memory, style = stroke.memory.split([STROKE_MEMORY, TOLD], dim=-1)
        core = torch.cat([memory, self.lane(stroke.lane)], dim=-1)
        told = (style[:, : len(SHARED_NAMES)], style.gather(1, self.voices[stroke.lane]))
        velocity, offset = stroke.earlier_velocity, stroke.earlier_offset
        struck, velocities, offsets = stroke.struck, stroke.velocities, stroke.offsets
        present = (velocity > 0).float() * self._shown()
        recent = stroke.recent if self.settings.use_recent else torch.zeros_like(stroke.recent)
        if not self.settings.lanes_know_each_other:
            velocities, offsets = torch.zeros_like(velocities), torch.zeros_like(offsets)
        earlier = (
            present,
            present * (velocity.float() - 1) / CEILING_BIN,
            present * (offset.float() - 1 - MAX_OFFSET) / MAX_OFFSET,
        )
        age = stroke.age[:, None]
        around = (struck, velocities, offsets, *earlier, age, recent, *told)
        return core, torch.cat([core, *around], dim=-1)

    def _shown(self) -> Tensor:
        """1 for each of the `EARLIER` strokes that the settings let the network see."""
        settings, lags = self.settings, len(COPIED_LAGS)
        shown = [settings.use_lags] * lags + [True, settings.lanes_know_each_other]
        return torch.tensor(shown, dtype=torch.float32)

    def velocity_logits(self, around: Tensor, stroke: Stroke) -> Tensor:
        """Logits (n, 33) of the velocity bin."""
        units = torch.relu(self.velocity_units(around))
        logits: Tensor = self.velocity(units)
        return logits + self._copied(self.velocity_copies, units, stroke.earlier_velocity)

    def offset_logits(self, around: Tensor, stroke: Stroke, velocity: Tensor) -> Tensor:
        """Logits (n, 25) of the offset, given the velocity bin."""
        units = torch.relu(self.offset_units(torch.cat([around, self.level(velocity)], dim=-1)))
        logits: Tensor = self.offset(units)
        return logits + self._copied(self.offset_copies, units, stroke.earlier_offset)

    def second_logits(
        self, core: Tensor, velocity: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logit of a second stroke, logits of its velocity, units for `second_offset_logits`."""
        units = torch.cat([core, self.level(velocity), self.place(offset)], dim=-1)
        units = torch.relu(self.second_units(units))
        return self.second(units)[:, 0], self.second_velocity(units), units

    def second_offset_logits(self, units: Tensor, second_velocity: Tensor) -> Tensor:
        """Logits (n, 25) of the second stroke's offset, given its velocity bin."""
        known = torch.cat([units, self.level(second_velocity)], dim=-1)
        logits: Tensor = self.second_offset(known)
        return logits

    def between_logits(self, units: Tensor, second_offset: Tensor) -> Tensor:
        """Logits (n, 7) of how many strokes lie between the two, given the second's offset."""
        logits: Tensor = self.between(torch.cat([units, self.place(second_offset)], dim=-1))
        return logits

    def _copied(self, copies: Copies, units: Tensor, earlier: Tensor) -> Tensor | float:
        if not self.settings.copying:
            return 0.0
        logits: Tensor = copies(units, earlier * self._shown().long())
        return logits


class Copies(nn.Module):
    """Gated tables from earlier strokes' values to logits of the next one's."""

    def __init__(self, units: int, bins: int) -> None:
        super().__init__()
        self.gates = nn.Linear(units, EARLIER)
        self.tables = nn.Parameter(torch.zeros(EARLIER, bins + 1, bins))
        with torch.no_grad():
            self.tables[:, 1:] += torch.eye(bins)
            nn.init.constant_(self.gates.bias, -1.0)

    def forward(self, units: Tensor, earlier: Tensor) -> Tensor:
        """Logits (n, bins) of units (n, u) and earlier values (n, `EARLIER`)."""
        rows = self.tables[torch.arange(EARLIER), earlier]  # (n, EARLIER, bins)
        return (torch.sigmoid(self.gates(units))[..., None] * rows).sum(1)


def build_network(settings: GrooveSettings, seed: int | None = None) -> GrooveNetwork:
    """A fresh network; the same seed draws the same weights. torch's random state is kept.

    Raises:
        TrainingError: more than `MAX_PARAMETERS` weights.
    """
    weight_shapes(settings)  # refuses what is too large
    return with_first_weights(GrooveNetwork, settings, seed)
