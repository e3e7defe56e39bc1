"""From a groove model to beats: 16th by 16th, with the memory carried from one to the next.

Takes are played side by side in blocks of `ROWS`, always of that size: matrix products of another
size may round differently, and a beat must depend on its seed and settings alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri
from torch import Tensor

from dj_core.beat import DEFAULT_TEMPO_BPM, Beat, Provenance
from dj_core.drums import DRUMS
from dj_core.errors import GenerationError
from dj_core.genres import genre_label, typical_tempo_bpm
from dj_core.groove.batches import (
    A_BAR,
    COPIED_LAGS,
    NEXT_STEPS,
    OWN_STYLE,
    PHRASE_BARS,
    lag_steps,
)
from dj_core.groove.checkpoint import (
    FAMILY,
    STYLE_BARS,
    GrooveCheckpoint,
    load_checkpoint,
)
from dj_core.groove.clips import KINDS
from dj_core.groove.likelihood import LONGEST_AGE, age_of, content
from dj_core.groove.network import (
    CHAIN,
    CONTENT,
    LAGS,
    Asked,
    GrooveNetwork,
    Heard,
    Stroke,
)
from dj_core.groove.recent import QUANTITIES, fade, nothing_recent, quantities, recent_of
from dj_core.networks import cpu_threads
from dj_core.sampling import GenerationRequest, Spacing, Take
from dj_core.tokenizers.groove import (
    CEILING_BIN,
    LANES,
    MAX_OFFSET,
    METERS,
    VELOCITY_BINS,
    Grid,
    Groove,
    decode,
    from_grid,
    steps_per_bar,
    velocities_of_bin,
)

ROWS = 8
TEMPO_NEARNESS = 0.12  # spread, in logarithms, of the tempos whose styles suit a tempo
STYLE_CANDIDATES = 12  # a genre with fewer styles near the tempo borrows from its other tempos
PLAYED = 0.5  # styles are of played music where more of the strokes than this lie off the 96ths
ONLY_STYLE_NOISE = 2.0  # on a programmed genre's only style; it falls with their square root
FARTHEST_WAY = 0.6  # that such a style may go towards one of another pattern
UNKNOWN_TEMPO_CHANCE = 0.2  # of a style whose tempo nobody knows, beside one that fits the tempo
ENOUGH_STYLES = 50  # with so many at known, fitting tempos the others are left out
DRAWS = 9  # random numbers per cell: struck, velocity, offset, flam, its two, within the bins
COLD = 1e-6  # temperatures below take the likeliest
_Cells = tuple[np.ndarray, int, int, int]
"""Rows of a block, and the place of their draws: step, lane and which of the draws."""
_STRUCK, _VELOCITY, _OFFSET, _FLAM, _FLAM_VELOCITY, _FLAM_OFFSET, _WITHIN, _FINE, _SHIFT = range(
    DRAWS
)
WANDER = 0.8  # of a 16th's wandering chance left in the next; half of it is gone after three
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


def load_groove_model(folder: Path) -> GrooveModel:
    """The groove model in a checkpoint folder, ready to play. Raises CheckpointError."""
    # a run's model lies in a folder called model; it goes by the run's name
    name = folder.parent.name if folder.name == "model" else folder.name
    return GrooveModel(name, load_checkpoint(folder))


class GrooveModel:
    """Plays beats of whole bars in a genre, tempo and meter, with dynamics and feel."""

    family = FAMILY
    start_notes: tuple[str, ...] = ()
    spacings: tuple[Spacing, ...] = ("learned",)

    def __init__(self, name: str, checkpoint: GrooveCheckpoint) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.network = checkpoint.network
        self.tables = checkpoint.tables
        self.genres = tuple(genre for genre in self.network.settings.genres if genre)
        self._within = _within_bins(self.tables.velocities)

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
        # blocks of like length waste least
        order = sorted(range(len(requests)), key=lambda i: _steps(requests[i]))
        takes: dict[int, Take] = {}
        for first in range(0, len(order), ROWS):
            block = order[first : first + ROWS]
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

    def draw_style(
        self, request: GenerationRequest, tuning: Tuning, generator: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """A style of the genre at a tempo near the one asked, with noise, and its `Tables.fine`.

        Styles of the asked kind, meter, density and loudness are preferred, in this order, as far
        as there are any.
        """
        tables, feel = self.tables, request.feel
        length = min(STYLE_BARS, key=lambda bars: abs(math.log(bars / request.bars)))
        index = self.network.settings.genres.index(request.genre)
        fits = tables.bars == length
        if index:
            fits &= tables.genre == index
        density, loudness = self._levels
        for also in (
            tables.kind == KINDS.index(feel.kind) if feel.kind else None,
            tables.meter == METERS.index(request.meter),
            density == feel.density if feel.density else None,
            loudness == feel.loudness if feel.loudness else None,
        ):
            if also is not None and (fits & also).any():
                fits = fits & also
        candidates = np.flatnonzero(fits)
        known_bpm = tables.tempo_bpm[candidates].astype(np.float64)
        known = known_bpm > 0
        away = np.abs(np.log(np.maximum(known_bpm, 1.0) / tempo_of(request)))
        away[~known] = TEMPO_NEARNESS
        reach = np.sort(away)[min(STYLE_CANDIDATES, len(away)) - 1]
        chance = np.exp(-0.5 * (away / max(TEMPO_NEARNESS, reach)) ** 2)
        enough = (known & (away < 2 * TEMPO_NEARNESS)).sum() >= ENOUGH_STYLES
        chance[~known] *= 0.0 if enough else UNKNOWN_TEMPO_CHANCE
        chosen = candidates[generator.choice(len(candidates), p=chance / chance.sum())]
        style = tables.styles[chosen].astype(np.float64)
        programmed = not (tables.fine[candidates] > PLAYED).any()
        if programmed and len(candidates) < STYLE_CANDIDATES and tuning.style_noise:
            style = self._varied(style, len(candidates), generator)
        noise = generator.normal(0, tuning.style_noise, style.shape)
        return style + noise, float(tables.fine[chosen])

    def _varied(self, style: np.ndarray, known: int, generator: np.random.Generator) -> np.ndarray:
        """A programmed style on its way to another one, with more noise than played ones get.

        Programmed patterns repeat to the letter: told the style of one, the network plays it, and
        a genre `known` from two patterns would be two beats for ever.
        """
        spread = ONLY_STYLE_NOISE / math.sqrt(known)
        programmed = np.flatnonzero(self.tables.fine <= PLAYED)
        other = self.tables.styles[generator.choice(programmed)].astype(np.float64)
        way = generator.uniform(0, FARTHEST_WAY)
        return style + way * (other - style) + generator.normal(0, spread, style.shape)

    @cached_property
    def _levels(self) -> tuple[np.ndarray, np.ndarray]:
        scale = self.tables.scale
        return scale.levels(self.tables.styles.astype(np.float64) * scale.spread + scale.mean)

    def velocity_within(self, genre: int, velocity_bin: int, draw: float) -> int:
        """A MIDI velocity of a bin, as likely as in the genre's training material.

        Args:
            genre: index among the network's genres.
            velocity_bin: 0 to 32.
            draw: random number, 0 up to 1.
        """
        members = velocities_of_bin(velocity_bin)
        return members[int(np.searchsorted(self._within[genre, velocity_bin], draw, "right"))]


def tempo_of(request: GenerationRequest) -> float:
    """Tempo asked for: the request's own, else the genre's usual one, else MIDI's default."""
    return request.tempo_bpm or typical_tempo_bpm(request.genre) or DEFAULT_TEMPO_BPM


def _steps(request: GenerationRequest) -> int:
    return request.bars * steps_per_bar(request.meter)


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
    """Up to `ROWS` takes being played; rows nobody asked for stay silent."""

    def __init__(
        self, model: GrooveModel, requests: Sequence[GenerationRequest], tuning: Tuning
    ) -> None:
        self.model, self.requests, self.tuning = model, requests, tuning
        self.network = model.network
        asked = [*requests, *[replace(requests[0])] * (ROWS - len(requests))]
        self.steps = max(map(_steps, asked))
        self.bar = np.array([steps_per_bar(request.meter) for request in asked])
        self.tempo_bpm = np.array([tempo_of(request) for request in asked])
        self.genre = np.array(
            [self.network.settings.genres.index(request.genre) for request in asked]
        )
        self.styles = np.zeros((ROWS, model.tables.styles.shape[1]))
        self.fine = np.zeros(ROWS)
        self.draws = np.zeros((ROWS, self.steps, LANES, DRAWS))
        for row, request in enumerate(requests):
            # a seed is a take of its own in every genre
            genre = zlib.crc32(request.genre.encode())
            generator = np.random.default_rng([request.seed, genre])
            self.styles[row], self.fine[row] = model.draw_style(request, tuning, generator)
            self.draws[row, : _steps(request)] = generator.random((_steps(request), LANES, DRAWS))
            wander = np.random.default_rng([request.seed, genre, 1])
            _draw_together(self.draws[row, :, :, _OFFSET], tuning.timing_together, wander)
        parts = ("hits", "velocity", "timing")
        self.temperature = {
            part: np.array([r.temperature * getattr(r.feel, part) for r in asked]) for part in parts
        }
        self.top_p = {
            part: np.array([min(r.top_p, getattr(tuning, f"{part}_top_p")) for r in asked])
            for part in parts
        }
        # one step more than is played: an empty one for what lies before the beginning
        self.grids = [Grid.empty(self.steps + 1) for _ in range(ROWS)]
        self.content = torch.zeros(ROWS, self.steps + 1, CONTENT)
        self.last_step = np.full((ROWS, LANES), -1)
        self.recent = nothing_recent(ROWS)
        self.before = np.zeros((ROWS, 2), np.int64)  # velocity and offset of the last stroke

    def play(self) -> list[Take]:
        """Play all takes to their ends."""
        with torch.inference_mode(), cpu_threads(1):
            self._lanes = _LaneChain(self.network)
            self.condition = self.network.sum_up(self._asked())
            self.state = self.network.empty_state(ROWS)
            for now in range(self.steps):
                self._step(now)
        return [self._take(row) for row in range(len(self.requests))]

    def _step(self, now: int) -> None:
        """Play a 16th."""
        heard = self._heard(now)
        memory, self.state = self.network.remember(heard, self.condition, self.state)
        struck = self._strike(now, memory[0], heard)
        self._sound(now, memory[0], struck)

    def _asked(self) -> Asked:
        asked = [*self.requests, *[self.requests[0]] * (ROWS - len(self.requests))]
        return Asked(
            genre=torch.from_numpy(self.genre),
            tempo_bpm=torch.from_numpy(self.tempo_bpm).float(),
            meter=torch.tensor([METERS.index(request.meter) for request in asked]),
            kind=torch.tensor([KINDS.index(request.feel.kind) for request in asked]),
            density=torch.tensor([request.feel.density for request in asked]),
            loudness=torch.tensor([request.feel.loudness for request in asked]),
            style=torch.from_numpy(self.styles).float(),
            style_source=torch.full((ROWS,), OWN_STYLE),
        )

    def _heard(self, now: int) -> Heard:
        """What has been played, as the network reads it: (1, rows, ...)."""
        rows = torch.arange(ROWS)
        empty = self.steps

        def seen(steps: np.ndarray) -> Tensor:
            return torch.from_numpy(np.where((steps >= 0) & (steps < now), steps, empty))

        lags = [seen(now - lag) for lag in lag_steps(self.bar)]
        after = [seen(now - self.bar + ahead) for ahead in range(1, NEXT_STEPS + 1)]
        bars_played, position = np.divmod(now, self.bar)
        known = torch.stack([lag != empty for lag in lags], dim=-1).float()
        return Heard(
            previous=self.content[rows, now - 1 if now else empty][None],
            lags=torch.cat([self.content[rows, lag] for lag in lags], dim=-1)[None],
            following=torch.cat([self.content[rows, step, :LANES] for step in after], -1)[None],
            known=known[None],
            position=torch.from_numpy(position)[None],
            phrase=torch.from_numpy(bars_played % PHRASE_BARS)[None],
            recent=self.recent[None],
        )

    def _strike(self, now: int, memory: Tensor, heard: Heard) -> np.ndarray:
        """Decide which lanes are struck, (rows, 16) of bool."""
        lags = heard.lags[0].unflatten(-1, (LAGS, CONTENT))[..., :LANES]
        units, logits, flips = self._lanes.begin(memory, lags, heard.known[0])
        struck = np.zeros((ROWS, LANES), bool)
        for row in range(len(self.requests)):
            struck[row] = self._lanes.decide(
                units[row],
                logits[row],
                flips[row],
                self.draws[row, now, :, _STRUCK].tolist(),
                self.temperature["hits"][row],
                self.top_p["hits"][row],
            )
        return struck

    def _sound(self, now: int, memory: Tensor, struck: np.ndarray) -> None:
        """Give every stroke its velocity and offset, lane by lane, and note the 16th."""
        levels, places = torch.zeros(ROWS, LANES), torch.zeros(ROWS, LANES)
        hit, memory = torch.from_numpy(struck).float(), self.network.strokes.project(memory)
        for lane in CHAIN:
            if not struck[:, lane].any():
                continue
            stroke = self._stroke(now, memory, lane, hit, levels, places)
            velocity, offset = self._sound_lane(now, lane, stroke, np.flatnonzero(struck[:, lane]))
            levels[:, lane] = torch.from_numpy(velocity / CEILING_BIN).float() * hit[:, lane]
            places[:, lane] = torch.from_numpy((offset - MAX_OFFSET) / MAX_OFFSET).float()
            places[:, lane] *= hit[:, lane]
            here = struck[:, lane]
            self.before[here] = np.stack([1 + velocity[here], 1 + offset[here]], axis=1)
        self.last_step[struck] = now
        if struck.any():
            at = [torch.from_numpy(np.stack([part[now] for part in self._grid(name)]))
                  for name in ("velocity", "offset", "second_velocity")]  # fmt: skip
            self.content[:, now] = content(*at)
            played = quantities(*at[:2])
        else:
            played = torch.zeros(ROWS, LANES, QUANTITIES)
        self.recent = fade(self.recent, played)

    def _grid(self, name: str) -> list[np.ndarray]:
        return [getattr(grid, name) for grid in self.grids]

    def _stroke(
        self, now: int, memory: Tensor, lane: int, hit: Tensor, levels: Tensor, offsets: Tensor
    ) -> Stroke:
        empty = self.steps
        last = self.last_step[:, lane]
        lags = lag_steps(self.bar)
        steps = [*(now - lags[lag] for lag in COPIED_LAGS), np.where(last < 0, empty, last)]
        steps = [np.where(step >= 0, step, empty) for step in steps]
        at = list(enumerate(np.stack(steps, axis=1)))
        earlier = [
            np.array([getattr(self.grids[row], name)[places, lane] for row, places in at])
            for name in ("velocity", "offset")
        ]
        velocity, offset = (
            np.concatenate([past, self.before[:, which, None]], axis=1)
            for which, past in enumerate(earlier)
        )
        lanes = torch.full((ROWS,), lane)
        return Stroke(
            memory=memory,
            lane=lanes,
            struck=hit,
            velocities=levels,
            offsets=offsets,
            earlier_velocity=torch.tensor(np.array(velocity, np.int64)),
            earlier_offset=torch.tensor(np.array(offset, np.int64)),
            recent=recent_of(self.recent, lanes),
            age=age_of(torch.from_numpy(np.where(last < 0, LONGEST_AGE, now - last))),
        )

    def _sound_lane(
        self, now: int, lane: int, stroke: Stroke, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw velocity bin and offset (0 to 24) of the lane's strokes in `rows`, and flams."""
        head = self.network.strokes
        core, around = head.begin(stroke)
        levels = head.velocity_logits(around, stroke)
        velocity = self._draw(levels, "velocity", (rows, now, lane, _VELOCITY))
        bins = torch.from_numpy(velocity)
        places = head.offset_logits(around, stroke, bins)
        offset = self._draw(places, "timing", (rows, now, lane, _OFFSET))
        for row in rows:
            self.grids[row].velocity[now, lane] = 1 + velocity[row]
            self.grids[row].offset[now, lane] = 1 + offset[row]
        logit, levels, units = head.second_logits(core, bins, torch.from_numpy(offset))
        flams = rows[self._coin(logit, (rows, now, lane, _FLAM))]
        if len(flams):
            softer = self._draw(levels, "velocity", (flams, now, lane, _FLAM_VELOCITY))
            places = head.second_offset_logits(units, torch.from_numpy(softer))
            beside = self._draw(places, "timing", (flams, now, lane, _FLAM_OFFSET))
            for row in flams[beside[flams] != offset[flams]]:
                # the louder one is the stroke, as in every grid
                self.grids[row].second_velocity[now, lane] = 1 + min(softer[row], velocity[row])
                self.grids[row].second_offset[now, lane] = 1 + beside[row]
        return velocity, offset

    def _coin(self, logits: Tensor, at: _Cells) -> np.ndarray:
        rows, *place = at
        draws = self.draws[rows, *place]
        chances = zip(
            logits.numpy()[rows].tolist(),
            draws.tolist(),
            self.temperature["hits"][rows].tolist(),
            self.top_p["hits"][rows].tolist(),
            strict=True,
        )
        return np.array([_coin(*chance) for chance in chances], bool)

    def _draw(self, logits: Tensor, part: str, at: _Cells) -> np.ndarray:
        """An index for each of the rows `at`, 0 in the others."""
        rows, *place = at
        chosen = np.zeros(ROWS, np.int64)
        chosen[rows] = _choose(
            logits.numpy()[rows],
            self.draws[rows, *place],
            self.temperature[part][rows],
            self.top_p[part][rows],
        )
        return chosen

    def _take(self, row: int) -> Take:
        """The beat of a row, and its strokes in words."""
        request, grid = self.requests[row], self.grids[row]
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
        """MIDI velocities of a row's strokes, each drawn within its bin."""
        genre = int(self.genre[row])
        step, lane, velocity, _ = groove.strokes.T
        draws = self.draws[row, step, lane, _WITHIN]
        # a flam's two strokes share a cell's draw; they are of different bins as a rule
        levels = [
            self.model.velocity_within(genre, int(index), float(draw))
            for index, draw in zip(velocity, draws, strict=True)
        ]
        return np.array(levels, np.int64)

    def _shifts(self, row: int, groove: Groove) -> np.ndarray:
        """Where strokes lie between the 96ths: nowhere in programmed styles, anywhere in played."""
        step, lane, _, offset = groove.strokes.T
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


class _LaneChain:
    """The lanes of a 16th, decided one after another; products so small that numpy does them."""

    def __init__(self, network: GrooveNetwork) -> None:
        self.head = network.lanes
        self.neighbours = self.head.neighbours * self.head.mask
        weights = self.neighbours.unflatten(0, (LANES, -1)).permute(2, 0, 1)
        self.weights = weights.contiguous().numpy()  # (5 × 16, lane, unit)
        self.output = self.head.output.numpy()
        self.bias = self.head.bias.numpy()

    def begin(
        self, memory: Tensor, lags: Tensor, known: Tensor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per row: units (16, n) and logits (16) before any lane is known, and lanes a bar ago."""
        own, copied = self.head.from_memory(memory, lags, known)
        seen = [torch.zeros_like(lags[:, A_BAR]).repeat(1, 2), *self.head.settled(lags)]
        own = own + torch.nn.functional.linear(torch.cat(seen, dim=-1), self.neighbours)
        units = own.unflatten(-1, (LANES, -1)).numpy().copy()
        return units, copied.numpy() + self.bias, lags[:, A_BAR].numpy() > 0

    def decide(
        self,
        units: np.ndarray,
        logits: np.ndarray,
        a_bar_ago: np.ndarray,
        draws: list[float],
        temperature: float,
        top_p: float,
    ) -> np.ndarray:
        """Lanes struck by one row, given `begin`'s answer for it and a draw per lane."""
        struck = np.zeros(LANES, bool)
        for lane in CHAIN:
            logit = float(np.maximum(units[lane], 0).dot(self.output[lane])) + float(logits[lane])
            if _coin(logit, draws[lane], temperature, top_p):
                struck[lane] = True
                units += self.weights[lane]
                if a_bar_ago[lane]:
                    units += self.weights[LANES + lane]
        return struck


def _draw_together(draws: np.ndarray, share: float, generator: np.random.Generator) -> None:
    """Let uniform `draws` (steps, lanes) rise and fall together; each by itself stays uniform.

    A Gaussian copula: every draw is part its own chance, part a wandering one that all lanes of a
    step share, and that keeps `WANDER` of itself from one step to the next.
    """
    if not share:
        return
    own = ndtri(np.clip(draws, 1e-9, 1 - 1e-9))
    steps = generator.standard_normal(len(draws))
    steps[1:] *= math.sqrt(1 - WANDER**2)
    common = lfilter([1.0], [1.0, -WANDER], steps)[:, None]
    draws[:] = ndtr(math.sqrt(share) * common + math.sqrt(1 - share) * own)


def _coin(logit: float, draw: float, temperature: float, top_p: float) -> bool:
    """Yes or no; at temperature 0, or where the likelier fills the nucleus, that one."""
    if temperature < COLD:
        return logit > 0
    chance = 1 / (1 + math.exp(-min(max(logit / temperature, -50.0), 50.0)))
    if top_p < 1 and max(chance, 1 - chance) >= top_p:
        return chance > 0.5
    return draw < chance


def _choose(
    logits: np.ndarray, draws: np.ndarray, temperature: np.ndarray, top_p: np.ndarray
) -> np.ndarray:
    """An index per row by its odds, from the likeliest that together have `top_p`."""
    cold = temperature < COLD
    scaled = logits.astype(np.float64) / np.where(cold, 1.0, temperature)[:, None]
    odds = np.exp(scaled - scaled.max(1, keepdims=True))
    odds /= odds.sum(1, keepdims=True)
    if (top_p < 1).any():
        order = np.argsort(-odds, axis=1, kind="stable")
        ordered = np.take_along_axis(odds, order, axis=1)
        likelier = np.cumsum(ordered, axis=1) - ordered
        np.put_along_axis(odds, order, np.where(likelier < top_p[:, None], ordered, 0), axis=1)
    cumulative = np.cumsum(odds, axis=1)
    drawn = (cumulative <= (draws * cumulative[:, -1])[:, None]).sum(1)
    return np.where(cold, logits.argmax(1), np.minimum(drawn, logits.shape[1] - 1))


def _words(beat: Beat) -> tuple[str, ...]:
    """What is struck together, 16th by 16th: 'kick closed_hat'; silence is 'rest'."""
    steps: dict[int, set[int]] = {}
    for hit in beat.hits:
        steps.setdefault(math.floor(hit.onset_quarters * 4 + 0.5), set()).add(hit.lane)
    return tuple(
        " ".join(DRUMS[lane].name for lane in sorted(steps[step])) if step in steps else "rest"
        for step in range(round(beat.length_quarters * 4))
    )
