"""Generates beats with a groove model, 16th by 16th, carrying the network's state along.

Takes are played side by side, up to `MOST_ROWS` of them. `groove_inference` makes each independent
of how many there are: a beat is decided by its seed and settings alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import numpy as np

from dj_core.errors import GenerationError
from dj_core.models.groove.groove_checkpoint import FAMILY, GrooveCheckpoint, load_groove_model
from dj_core.models.groove.groove_inference import (
    Heard,
    Reading,
    Recent,
    Rows,
    StepwiseNetwork,
    Strokes,
    at_rows,
    heard_at,
)
from dj_core.models.groove.groove_shape import CHAIN, CONTENT, EARLIER, LONGEST_AGE
from dj_core.models.groove.phrase_form import (
    DECIDED,
    HALVES,
    LEVEL_BINS,
    LEVEL_LEANS,
    LEVEL_OF_BIN,
    NEAR,
    ROLLS,
    TRIPLET_TICKS,
    TRIPLETS,
    Repeats,
)
from dj_core.models.groove.streams import (
    A_BAR,
    COPIED_LAGS,
    OWN_STYLE,
    Conditions,
    lag_steps,
)
from dj_core.models.groove.style_choice import DrawnStyle, StyleChoice
from dj_core.models.groove.style_tables import PLACED_ROLES, PLACES
from dj_core.models.groove.style_vector import STYLE_SIZE
from dj_core.models.groove.temperature import Heat
from dj_core.models.groove.training_clips import KINDS, SWING_REACH, role_index
from dj_core.models.request import FOUR_FOUR, GenerationRequest, Spacing, Take, role_of
from dj_core.models.threads import one_thread
from dj_core.music.beat import DEFAULT_TEMPO_BPM, Beat, Provenance
from dj_core.music.drums import DRUMS
from dj_core.music.genres import genre_label, typical_tempo_bpm
from dj_core.music.step_grid import (
    CEILING_BIN,
    LANES,
    MAX_OFFSET,
    METERS,
    MOST_BETWEEN,
    OFFSETS,
    VELOCITY_BINS,
    Grid,
    Groove,
    decode,
    from_grid,
    steps_per_bar,
    velocities_of_bin,
)
from dj_core.music.touch import UNKNOWN, velocities

MOST_ROWS = 64  # of a block; more bring nothing
ROWS = 8  # that blocks of unequal lengths are made of
DRAWS = 10  # random numbers per cell: struck, velocity, offset, flam, its three, within the bins
_Cells = tuple[np.ndarray, int, np.ndarray, int]
"""Where strokes' draws stand: rows of a block, step, lanes, and which of the draws."""
_STRUCK, _VELOCITY, _OFFSET, _FLAM, _FLAM_VELOCITY, _FLAM_OFFSET, _BETWEEN = range(7)
_WITHIN, _FINE, _SHIFT = range(7, DRAWS)
WANDER = 0.8  # of a 16th's wandering chance left in the next; half of it is gone after three
_CHAIN = np.array(CHAIN)
_LANES = np.arange(LANES)
_COPIED = 1 + np.array(COPIED_LAGS)  # of `Reading.seen`
_LEVELS = np.arange(VELOCITY_BINS, dtype=np.float32) / np.float32(CEILING_BIN)
_OFFSETS = (np.arange(OFFSETS) - MAX_OFFSET).astype(np.float32) / np.float32(MAX_OFFSET)
_LOWEST_OF_BIN = np.array([velocities_of_bin(index).start for index in range(VELOCITY_BINS)])
_LEANING = np.float32(LEVEL_LEANS) * (np.r_[: len(LEVEL_BINS), -1][:, None] == LEVEL_OF_BIN[1:])
"""Added to the log odds of velocity bins by the level that the form tells; -1, the last, none."""
_TRIPLETS = np.float32(TRIPLETS) * np.isin(np.abs(np.arange(OFFSETS) - MAX_OFFSET), TRIPLET_TICKS)
"""Added to the log odds of offsets where the form tells triplets."""
SILENT = -30.0  # added to the log odds of drums that a phrase does not have
PROGRAMMED = {"hits": (0.8, 0.95), "velocity": (0.8, 0.98), "timing": (0.6, 1.0)}
"""Of programmed styles, each part's temperature and nucleus at most: a machine repeats itself more
exactly than a drummer, and a stray hit is heard."""
TOUCH_REACH = 8  # velocities, within which a stroke is of one of its drum's levels
GENRE_SMOOTHING = 20.0  # strokes of all genres mixed into a genre's velocities


@dataclass(frozen=True)
class Tuning:
    """How a model is sampled, beyond what a DJ asks; the defaults were chosen on validation.

    Attributes:
        hits_top_p, velocity_top_p, timing_top_p: the nucleus of these parts; where a request asks
            for a smaller one, that counts.
        style_noise: spread of the noise on the style drawn, in units of the styles' own spread;
            at 0 a stored style is played as it is.
        timing_together: how much of what chance does to a stroke's timing it does to all strokes
            near by, 0 to 1. A drummer who is late is late with both hands, and a moment later,
            too; the odds of one stroke after another know only part of that.

    Raises:
        GenerationError: a value out of range.
    """

    hits_top_p: float = 0.995
    velocity_top_p: float = 0.98
    timing_top_p: float = 1.0
    style_noise: float = 0.1
    timing_together: float = 0.22

    def __post_init__(self) -> None:
        for name, low, high in (
            ("hits_top_p", 0.001, 1.0),
            ("velocity_top_p", 0.001, 1.0),
            ("timing_top_p", 0.001, 1.0),
            ("style_noise", 0.0, 3.0),
            ("timing_together", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise GenerationError(f"{name} is {low:g} to {high:g}; got {value:g}.")


DEFAULT_TUNING = Tuning()


def load_groove_player(folder: Path, name: str = "") -> GrooveModel:
    """The groove model in a checkpoint folder, ready to play. Raises CheckpointError.

    Args:
        folder: of the model.
        name: what it is called; '' for the folder's name.
    """
    return GrooveModel(name or folder.name, load_groove_model(folder))


class GrooveModel:
    """Plays beats of whole bars in a genre, tempo and meter, with dynamics and feel."""

    family = FAMILY
    has_feel = can_shape = True
    start_notes: tuple[str, ...] = ()
    spacings: tuple[Spacing, ...] = ("learned",)

    def __init__(self, name: str, checkpoint: GrooveCheckpoint) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.settings = checkpoint.settings
        self.tables = checkpoint.tables
        self.genres = tuple(genre for genre in self.settings.genres if genre)
        self._within = _within_bins(self.tables.velocities)
        self.styles = StyleChoice(self.tables, self.settings.genres)

    @cached_property
    def stepwise(self) -> StepwiseNetwork:
        """The network laid out for playing; the weights must not change after the first take."""
        return StepwiseNetwork(self.settings, self.checkpoint.weights)

    def generate(self, request: GenerationRequest, tuning: Tuning = DEFAULT_TUNING) -> Take:
        """A beat as asked. Raises GenerationError."""
        return self.generate_all([request], tuning)[0]

    def generate_all(
        self, requests: Sequence[GenerationRequest], tuning: Tuning = DEFAULT_TUNING
    ) -> list[Take]:
        """A beat per request; each is the one `generate` would give, only sooner.

        Raises:
            GenerationError: a genre, meter or length that this model cannot play.
        """
        for request in requests:
            self._check(request)
        takes: dict[int, Take] = {}
        for block in _blocks([_steps(request) for request in requests]):
            asked = [requests[i] for i in block]
            takes.update(zip(block, _Block(self, asked, tuning).play(), strict=True))
        return [takes[i] for i in range(len(requests))]

    def _check(self, request: GenerationRequest) -> None:
        if request.bars is None:
            raise GenerationError(
                f"Model {self.name} counts bars, not notes; got notes={request.notes}. "
                "Ask for a number of bars."
            )
        if request.genre and request.genre not in self.genres:
            raise GenerationError(
                f"Model {self.name} knows these genres: {', '.join(self.genres)}; "
                f"got {request.genre!r}."
            )
        if request.style is not None and request.style >= len(self.tables.genre):
            raise GenerationError(
                f"Model {self.name} has {len(self.tables.genre):,} styles; got number "
                f"{request.style:,}. The take was made by another model."
            )
        if request.meter not in METERS:
            raise GenerationError(
                f"Model {self.name} plays in {', '.join(map(str, METERS))}; got {request.meter}."
            )
        if request.start_note is not None:
            raise GenerationError(
                f"Model {self.name} has no start notes; got {request.start_note!r}. Leave it out."
            )
        if request.spacing == "fixed":
            raise GenerationError(
                f"Model {self.name} plays its own timing and knows no fixed spacing. "
                "Ask for 'learned', or choose a notes model."
            )

    def candidates(self, request: GenerationRequest) -> tuple[np.ndarray, np.ndarray]:
        """The styles a take may be drawn from, by number, and the chance of each.

        Raises:
            GenerationError: a genre, meter or length that this model cannot play.
        """
        self._check(request)
        return self.styles.candidates(request, tempo_of(request))

    def draw_style(
        self, request: GenerationRequest, tuning: Tuning, generator: np.random.Generator
    ) -> DrawnStyle:
        """A style of the genre at a tempo near the one asked; see `StyleChoice.draw`."""
        return self.styles.draw(request, tempo_of(request), tuning.style_noise, generator)

    def velocity_within(self, genre: int, velocity_bin: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """MIDI velocities of bins, as likely as in the genre's training material.

        Args:
            genre: index among the network's genres.
            velocity_bin: 0 to 32.
            draw: a random number each, 0 up to 1.
        """
        passed = self._within[genre, velocity_bin] <= np.asarray(draw)[..., None]
        velocities: np.ndarray = _LOWEST_OF_BIN[velocity_bin] + passed.sum(-1)
        return velocities


def tempo_of(request: GenerationRequest) -> float:
    """Tempo asked for: the request's own, else the genre's usual one, else MIDI's default."""
    return request.tempo_bpm or typical_tempo_bpm(request.genre) or DEFAULT_TEMPO_BPM


def _steps(request: GenerationRequest) -> int:
    return cast("int", request.bars) * steps_per_bar(request.meter)  # checked before


def _blocks(steps: Sequence[int]) -> list[list[int]]:
    """Takes to be played side by side, as indices: up to `MOST_ROWS` that waste no product."""
    order = sorted(range(len(steps)), key=lambda i: steps[i])
    blocks: list[list[int]] = []
    for first in range(0, len(order), ROWS):
        some = order[first : first + ROWS]
        if blocks and len(blocks[-1]) < MOST_ROWS and steps[blocks[-1][-1]] == steps[some[-1]]:
            blocks[-1] += some
        else:
            blocks.append(some)
    return blocks


def _within_bins(velocities: np.ndarray) -> np.ndarray:
    """Cumulative chances (genres, bins, members - 1) of the velocities inside each bin."""
    everyone = velocities.sum(0)
    everyone = everyone / max(everyone.sum(), 1.0)
    counts = velocities + GENRE_SMOOTHING * everyone + 1e-6
    counts[0] = everyone + 1e-9  # any genre
    width = len(velocities_of_bin(0))
    chances = np.ones((len(counts), VELOCITY_BINS, width - 1))
    for index in range(VELOCITY_BINS):
        members = velocities_of_bin(index)
        cumulative = np.cumsum(counts[:, members.start : members.stop], axis=1)
        share = cumulative / cumulative[:, -1:]
        chances[:, index, : len(members) - 1] = share[:, :-1]
    return chances


class _Block:
    """Takes being played side by side, one a row."""

    def __init__(
        self, model: GrooveModel, requests: Sequence[GenerationRequest], tuning: Tuning
    ) -> None:
        self.model, self.requests, self.tuning = model, requests, tuning
        self.network = model.stepwise
        asked = requests
        self.rows = len(asked)
        self._rows = np.arange(self.rows)
        self.steps = max(map(_steps, asked))
        self.bar = np.array([steps_per_bar(request.meter) for request in asked])
        self.lag_steps = np.stack(lag_steps(self.bar), axis=1)
        self.tempo_bpm = np.array([tempo_of(request) for request in asked])
        genres = model.settings.genres
        self.genre = np.array([genres.index(request.genre) for request in asked])
        self.styles = np.zeros((self.rows, STYLE_SIZE))
        self.fine = np.zeros(self.rows)
        self.hands: list[np.ndarray | None] = [None] * self.rows
        self.silent = np.zeros((self.rows, LANES), np.float32)
        self.form = np.zeros((self.rows, HALVES, LANES), np.int32)
        grooves = [
            role_of(request) in PLACED_ROLES and request.meter == FOUR_FOUR for request in asked
        ]
        self.placement = model.tables.placement[self.genre].astype(np.float32)
        self.placement *= np.array(grooves, np.float32)[:, None, None]
        self.draws = np.zeros((self.rows, self.steps, LANES, DRAWS))
        for row, request in enumerate(requests):
            self._draw_for(row, request)
        programmed = np.array([hand is not None for hand in self.hands])
        self.heat = {}
        for part, (cooler, top_p) in PROGRAMMED.items():
            temperature = np.array([r.temperature * getattr(r.feel, part) for r in asked])
            nucleus = np.where(programmed, top_p, getattr(tuning, f"{part}_top_p"))
            self.heat[part] = Heat(
                np.where(programmed, cooler * temperature, temperature),
                np.minimum(nucleus, [r.top_p for r in asked]),
            )
        coins = self.draws[..., (_STRUCK, _FLAM)]
        self.hit_demands, self.flam_demands = np.moveaxis(self.heat["hits"].demands(coins), -1, 0)
        # one step more than is played: an empty one for what lies before the beginning
        parts = len(fields(Grid))
        self.cells = np.zeros((parts, self.rows, self.steps + 1, LANES), np.uint8)
        self.content = np.zeros((self.rows, self.steps + 1, CONTENT + 1), np.float32)
        self.content[:, :-1, CONTENT] = 1
        self.reading = Reading.of(self.steps, self.bar, self.lag_steps)
        self.last_step = np.full((self.rows, LANES), -1)
        self.recent = Recent(self.rows)
        self.before = np.zeros((2, self.rows), np.int64)  # velocity and offset of the last stroke

    def _draw_for(self, row: int, request: GenerationRequest) -> None:
        """All that chance has to say about a take. A seed is a take of its own in every genre."""
        steps, genre = _steps(request), zlib.crc32(request.genre.encode())
        generator = np.random.default_rng([request.seed, genre])
        drawn = self.model.draw_style(request, self.tuning, generator)
        self.styles[row], self.fine[row] = drawn.style, drawn.fine
        self.hands[row] = drawn.hand
        if drawn.form is not None:
            loose = request.temperature * request.feel.hits - 1  # hotter takes leave the form
            chance = np.random.default_rng([request.seed, genre, 2])
            self.form[row] = np.where(chance.random(drawn.form.shape) < loose, 0, drawn.form)
        self.silent[row, ~drawn.drums] = SILENT
        self.draws[row, :steps] = generator.random((steps, LANES, DRAWS))
        if drawn.hand is None:
            wander = np.random.default_rng([request.seed, genre, 1])
            _draw_together(self.draws[row, :, :, _OFFSET], self.tuning.timing_together, wander)

    def play(self) -> list[Take]:
        """Play all takes to their ends."""
        self.placed = self.silent + self.placement.swapaxes(0, 1)
        self.repeats = Repeats.of(self.form, self.steps, self.bar) if self.form.any() else None
        with one_thread():
            self.standing = self.network.stand(self._asked())
            self.memory = self.network.no_memory(self.rows)
            for now in range(self.steps):
                self._step(now)
        return [self._take(row, self.grid(row)) for row in range(len(self.requests))]

    def grid(self, row: int) -> Grid:
        """What a row has played; the last step is empty."""
        return Grid(*self.cells[:, row])

    def _step(self, now: int) -> None:
        """Play a 16th."""
        heard = heard_at(now, self.content, self.reading)
        self.memory = self.network.remember(heard, self.standing, self.memory)
        self._sound(now, heard, self._strike(now, heard))

    def _asked(self) -> Conditions:
        asked = self.requests
        return Conditions(
            genre=self.genre,
            tempo_bpm=self.tempo_bpm,
            meter=np.array([METERS.index(request.meter) for request in asked]),
            kind=np.array([KINDS.index(request.feel.kind) for request in asked]),
            density=np.array([request.feel.density for request in asked]),
            loudness=np.array([request.feel.loudness for request in asked]),
            role=np.array([role_index(role_of(request)) for request in asked]),
            energy=np.array([request.feel.energy for request in asked]),
            style=self.styles,
            style_source=np.full(self.rows, OWN_STYLE),
        )

    def _strike(self, now: int, heard: Heard) -> np.ndarray:
        """Decide which lanes are struck, (rows, 16) of bool.

        The network is asked of takes whose forms leave anything to decide.
        """
        if self.repeats is None or not (decided := self.repeats.decides[now]).any():
            return self._decide(now, heard, slice(None))
        struck: np.ndarray = self.repeats.copied[now] & self._then(now)
        if len(rows := np.flatnonzero(~decided)):
            struck[rows] = self._decide(now, heard, rows)
        return struck

    def _decide(self, now: int, heard: Heard, rows: Rows) -> np.ndarray:
        """Which lanes the network strikes in some rows, (n, 16) of bool."""
        units, copied = self.network.lane_heads(heard, self.standing, self.memory, rows)
        struck, _ = self.network.lanes.decide(
            units,
            copied + self._placed(now)[rows],
            heard.lags[rows, A_BAR],
            self.hit_demands[rows, now],
        )
        return struck

    def _placed(self, now: int) -> np.ndarray:
        """What is added to the log odds of each drum at this place of the bar, (rows, 16)."""
        place = self.reading.position[now] % PLACES
        added: np.ndarray = self.placed[at_rows(place, self.rows)]
        if self.repeats is not None:
            added = added + self.repeats.decided(now, self._then(now))
        return added

    def _then(self, now: int) -> np.ndarray:
        """Which drums were struck at the 16th that comes again, if one does, (rows, 16)."""
        before = cast("Repeats", self.repeats).before[now]
        then: np.ndarray = self.cells[0, self._rows[:, None], before, _LANES] > 0
        return then

    def _sound(self, now: int, heard: Heard, struck: np.ndarray) -> None:
        """Give every stroke its velocity, offset and flam, and note the 16th.

        Strokes of a take are sounded in the lanes' order: each knows those before it. Their flams
        change nothing for others in their 16th.
        """
        sounded = self.content[:, now, : 3 * LANES].reshape(self.rows, 3, LANES)
        row, lane, turns = _in_order(struck)
        if not turns:
            self.recent.fade(None)
            return
        was, moves = self._again(now, row, lane)
        settled = (was[0] > 0) & ~moves  # as loud and as late as then: the network is not asked
        drawn = was[:2] - 1  # velocity and offset
        asked = ~settled | self._flams(was[2] > 0, (row, now, lane, _FLAM))
        if asked.any():
            self.recent.read()
            strokes = self._strokes(now, row[asked], lane[asked], struck)
            memory = self.network.stroke_memory(heard, self.standing, self.memory)
            around = self.network.around(strokes, memory, self.recent, self.standing)
            place = asked.cumsum() - 1  # of a stroke among those that are asked about
            last = int(asked.nonzero()[0][-1])
            added = np.zeros((self.rows, around.shape[1]), np.float32)
            for here in turns:
                rows: Rows = row[here] if self.rows > 1 else slice(None)  # slices are quicker
                free, asks, at = here, rows, slice(place[here.start], place[here.stop - 1] + 1)
                if settled[here].any():
                    free = here.start + (~settled[here]).nonzero()[0]
                    asks, at = row[free], place[free]
                if len(row[free]):
                    # added to in place: nothing that flams read is changed
                    units, earlier = around[at], strokes.earlier[:, at]
                    earlier[..., -1] = before = self.before[:, asks]
                    units += added[asks]
                    units += self.network.just_before(*before)
                    drawn[:, free] = self._velocity_and_offset(
                        now, row[free], lane[free], units, earlier, was[:, free]
                    )
                if here.stop <= last:
                    levels, places = _LEVELS[drawn[0, here]], _OFFSETS[drawn[1, here]]
                    added[rows] += self.network.sounded(lane[here], levels, places)
                self.before[:, rows] = 1 + drawn[:, here]
        self.before[:, row] = 1 + drawn  # of a row's strokes the last
        self.cells[:2, row, now, lane] = 1 + drawn
        self.last_step[row, lane] = now
        for part, told in enumerate((1, _LEVELS[drawn[0]], _OFFSETS[drawn[1]])):
            sounded[row, part, lane] = told
        if asked.any():
            self._add_flams(now, row[asked], lane[asked], around, was[:, asked], drawn[:, asked])
        self.recent.fade(sounded)

    def _again(self, now: int, row: np.ndarray, lane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What comes again in strokes, (4, n) of the grid's parts, 0 where nothing does.

        And which of them sound at another level than then, (n,).
        """
        if self.repeats is None:
            return np.zeros((4, len(row)), np.int64), np.zeros(len(row), bool)
        before = self.repeats.before[now, row, lane]
        again = self.cells[:4, row, before, lane].astype(np.int64)
        return again, self.repeats.moved[now, row, lane]

    def _velocity_and_offset(
        self,
        now: int,
        row: np.ndarray,
        lane: np.ndarray,
        units: np.ndarray,
        earlier: np.ndarray,
        was: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bins drawn for strokes of different rows; what comes again is at another level."""
        logits = self.network.velocity_logits(units, earlier[0])
        again = was[0] > 0
        if again.any():
            near = np.abs(np.arange(1, 1 + logits.shape[1]) - was[0][:, None]) <= NEAR
            logits = logits - np.float32(DECIDED) * (near & again[:, None])
        if self.repeats is not None:
            logits = logits + _LEANING[self.repeats.level[now, row, lane]]
        louder = self._draw(logits, "velocity", (row, now, lane, _VELOCITY))
        if again.all():
            return louder, was[1] - 1
        logits = self.network.offset_logits(units, earlier[1], louder)
        if self.repeats is not None:
            logits = logits + _TRIPLETS * self.repeats.triplets[now, row, lane][:, None]
        later = self._draw(logits, "timing", (row, now, lane, _OFFSET))
        return louder, np.where(again, was[1] - 1, later)

    def _strokes(self, now: int, row: np.ndarray, lane: np.ndarray, struck: np.ndarray) -> Strokes:
        """What is known of a 16th's strokes before they are sounded."""
        last = self.last_step[row, lane]
        steps = np.empty((len(row), EARLIER), np.int64)
        steps[:, :-2] = self.reading.seen[now, row][:, _COPIED]
        steps[:, -2] = np.where(last < 0, self.steps, last)
        steps[:, -1] = self.steps  # of the stroke just before, which is not known yet
        cells = (row[:, None] * (self.steps + 1) + steps) * LANES + lane[:, None]
        return Strokes(
            row=row,
            lane=lane,
            struck=struck[row],
            earlier=self.cells[:2].reshape(2, -1).take(cells, axis=1),
            age_steps=np.where(last < 0, LONGEST_AGE, now - last),
        )

    def _add_flams(
        self,
        now: int,
        row: np.ndarray,
        lane: np.ndarray,
        around: np.ndarray,
        was: np.ndarray,
        drawn: np.ndarray,
    ) -> None:
        """Draw which strokes are two, and note the second's velocity and offset."""
        network, (velocity, offset) = self.network, drawn
        logit, levels, units = network.flam_logits(around, velocity, offset)
        at = row, now, lane, _FLAM
        if self.repeats is not None:
            logit = logit + np.float32(ROLLS) * self.repeats.rolls[now, row, lane]
        tossed = np.where(was[0] > 0, was[2] > 0, logit > self.flam_demands[row, now, lane])
        two = self._flams(tossed, at)
        if not two.any():
            return
        row, lane = row[two], lane[two]
        softer = self._draw(levels[two], "velocity", (row, now, lane, _FLAM_VELOCITY))
        logits = network.flam_offset_logits(units[two], softer)
        beside = self._draw(logits, "timing", (row, now, lane, _FLAM_OFFSET))
        apart = beside != offset[two]
        logits = network.between_logits(units[two], beside)
        between = self._draw(logits, "hits", (row, now, lane, _BETWEEN))
        # the louder one is the stroke, as in every grid
        softer = np.minimum(softer, velocity[two])
        room = np.abs(beside - offset[two]) - 1  # no two strokes at one place
        between = np.minimum(between, np.maximum(room, 0))
        row, lane, between = row[apart], lane[apart], between[apart]
        self.cells[2:, row, now, lane] = (1 + softer[apart], 1 + beside[apart], between)
        rolled = 1 + between.astype(np.uint8) / np.float32(MOST_BETWEEN)
        self.content[row, now, 3 * LANES + lane] = rolled

    def _flams(self, tossed: np.ndarray, at: _Cells) -> np.ndarray:
        """Which of the strokes `at` are two, by what chance or the form says."""
        return tossed

    def _draw(self, logits: np.ndarray, part: str, at: _Cells) -> np.ndarray:
        """An index for each of the strokes `at`."""
        return self.heat[part].choose(logits, self.draws[at], at[0])

    def _take(self, row: int, grid: Grid) -> Take:
        """The beat of what a row has played, and its strokes in words."""
        request = self.requests[row]
        steps = _steps(request)
        groove = from_grid(Grid(*(part[:steps] for part in vars(grid).values())), request.meter)
        beat = decode(
            groove,
            velocities=self._velocities(row, groove),
            shifts=self._shifts(row, groove),
            tempo_bpm=tempo_of(request),
            genre=request.genre,
            title=f"{genre_label(request.genre) or 'Beat'} {request.seed}",
            provenance=self._provenance(request),
        )
        return Take(beat, _words(beat))

    def _velocities(self, row: int, groove: Groove) -> np.ndarray:
        """MIDI velocities of a row's strokes, each drawn within its bin.

        In a phrase's take a drum has the phrase's touch where that comes near to what is drawn.
        """
        genre = int(self.genre[row])
        step, lane, velocity, _ = groove.strokes.T
        # a flam's two strokes share a cell's draw; they are of different bins as a rule
        drawn = self.model.velocity_within(genre, velocity, self.draws[row, step, lane, _WITHIN])
        hand = self.hands[row]
        if hand is None or not len(drawn):
            return drawn
        _, first = np.unique(step * LANES + lane, return_index=True)  # without flams and rolls
        step, lane, touch = step[first], lane[first], hand[lane[first], 2]
        levels = velocities(step, lane, touch, groove.meter)
        away = np.abs(levels - drawn[first, None])
        nearest, place = away.argmin(1), np.arange(len(first))
        touched = (touch != UNKNOWN) & (away[place, nearest] <= TOUCH_REACH)
        drawn[first] = np.where(touched, levels[place, nearest], drawn[first])
        return drawn

    def _shifts(self, row: int, groove: Groove) -> np.ndarray:
        """Where strokes lie between the 96ths.

        Anywhere in played styles. In a phrase's take a drum's strokes near its place in the phrase
        are exactly there: one swing for all bars. Triplets, flams and rolls are on the 96ths.
        """
        hand = self.hands[row]
        step, lane, _, offset = groove.strokes.T
        if hand is not None:
            shift = hand[lane, step % 2] - offset
            cell, strokes = np.unique(step * LANES + lane, return_counts=True)
            alone = strokes[np.searchsorted(cell, step * LANES + lane)] == 1
            return np.where(alone & (np.abs(shift) <= SWING_REACH), shift, 0.0)
        cells = self.draws[row, step, lane]
        shift = np.where(cells[:, _FINE] < self.fine[row], cells[:, _SHIFT] - 0.5, 0.0)
        # the outermost offsets have only half a 96th, towards their own 16th
        inward = -np.sign(offset) * np.abs(shift)
        return np.where(np.abs(offset) == MAX_OFFSET, inward, shift)

    def _provenance(self, request: GenerationRequest) -> Provenance:
        facts = self.model.checkpoint.facts
        settings: dict[str, Any] = {
            "genre": request.genre,
            "tempo_bpm": tempo_of(request),
            "meter": str(request.meter),
            "bars": request.bars,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "feel": asdict(request.feel),
        }
        if request.style is not None:
            settings["style"] = request.style
        if self.tuning != DEFAULT_TUNING:
            settings["tuning"] = asdict(self.tuning)
        return Provenance(
            source=self.model.name,
            model=self.model.name,
            model_sha256=self.model.checkpoint.weights_sha256,
            corpus=", ".join(facts.corpora),
            seed=request.seed,
            settings=settings,
        )


def _in_order(struck: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[slice]]:
    """Row and lane of every cell that is struck: each row's first, then each row's second, ...

    The slices are of the first ones, of the second ones, and so on.
    """
    row, rank = np.nonzero(struck[:, _CHAIN])
    if len(struck) == 1:
        return row, _CHAIN[rank], [slice(place, place + 1) for place in range(len(row))]
    counts = np.bincount(row, minlength=len(struck))
    ordinal = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.argsort(ordinal, kind="stable")
    ends = np.cumsum(np.bincount(ordinal)).tolist()
    turns = [slice(first, end) for first, end in zip([0, *ends], ends, strict=False)]
    return row[order], _CHAIN[rank[order]], turns


def _draw_together(draws: np.ndarray, share: float, generator: np.random.Generator) -> None:
    """Let uniform `draws` (steps, lanes) rise and fall together; each by itself stays uniform.

    A Gaussian copula: every draw is part its own chance, part a wandering one that all lanes of a
    step share, and that keeps `WANDER` of itself from one step to the next.
    """
    if not share:
        return
    from scipy.special import ndtr, ndtri  # a tenth of a second, which programmed styles save

    own = ndtri(np.clip(draws, 1e-9, 1 - 1e-9))
    steps = generator.standard_normal(len(draws))
    steps[1:] *= math.sqrt(1 - WANDER**2)
    wandering = accumulate(steps.tolist(), lambda before, step: WANDER * before + step)
    common = np.fromiter(wandering, float, len(steps))[:, None]
    draws[:] = ndtr(math.sqrt(share) * common + math.sqrt(1 - share) * own)


def _words(beat: Beat) -> tuple[str, ...]:
    """What is struck together, 16th by 16th: 'kick closed_hat'; silence is 'rest'."""
    struck = [0] * (round(beat.length_quarters * 4) + 1)  # bits; the last is of the next round
    for hit in beat.hits:
        struck[int(hit.onset_quarters * 4 + 0.5)] |= 1 << hit.lane
    return tuple(map(_word, struck[:-1]))


@cache
def _word(struck: int) -> str:
    """What is struck together, a bit a lane."""
    return " ".join(drum.name for lane, drum in enumerate(DRUMS) if struck >> lane & 1) or "rest"
