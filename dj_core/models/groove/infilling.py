"""Generation around given hits: the groove model plays the free cells of a beat.

A `Guide` says for every cell (16th and lane) whether it is given, and what is added to the log odds
of a free one. Given cells are played as they are, and the network reads them like its own; what
comes before them was drawn without knowing them. So several candidates (particles) are played side
by side: each is weighed by how likely it finds the given cells, and where one weighs too much, the
others are replaced by copies of it and go on with their own draws (sequential importance
resampling; Gordon, Salmond and Smith 1993). The take is drawn from them by weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dj_core.models.groove.groove_inference import Heard, odds
from dj_core.models.groove.groove_player import (
    _FLAM_OFFSET,
    _FLAM_VELOCITY,
    _OFFSET,
    _VELOCITY,
    DEFAULT_TUNING,
    ROWS,
    GrooveModel,
    Tuning,
    _Block,
    _Cells,
)
from dj_core.models.groove.streams import A_BAR, OWN_STYLE, PAST_STYLE, PAST_STYLE_BARS, Conditions
from dj_core.models.groove.style_vector import OUTLINE, StyleSums
from dj_core.models.groove.training_clips import KINDS, ClipSet, clip_of, hand_of
from dj_core.models.request import GenerationRequest, Take
from dj_core.music.beat import Beat
from dj_core.music.step_grid import LANES, MAX_OFFSET, TICKS_PER_QUARTER, TICKS_PER_STEP, Grid

CERTAIN = 1e-4  # no given cell is held to be less likely than this: files hold what models rule out
NOVELTY_BESIDE = 0.5  # there are more silent cells than struck ones
PROGRAMMED_SHARE = 0.9  # of a beat's strokes that lie exactly where they were programmed
ON_ITS_PLACE = 0.03  # 96ths; MIDI files round to about so much
_NOISE = 62  # keeps the noise on styles apart from other draws of a seed
FEWEST_EFFECTIVE = 0.5  # share of particles below which they are resampled


@dataclass(frozen=True)
class Turn:
    """What a row is asked from some 16th on.

    Attributes:
        kind: 'beat', 'fill' or ''.
        style: scaled style (STYLE_SIZE), or None for the row's own.
    """

    kind: str
    style: np.ndarray | None = None


@dataclass(frozen=True)
class Guide:
    """What one row is held to; arrays are (16ths, 16).

    Attributes:
        given: strokes to take from; its cells count where `held` or `felt` say so.
        held: cells that are given, struck or silent.
        felt: cells that sound as in `given` if both strike them.
        leaning: added to the log odds of a strike in free cells.
        novelty: per 16th, taken from the log odds where a bar ago was a strike, and a share of it,
            `NOVELTY_BESIDE`, added where none was.
        style: scaled style to play in; None draws one of the genre.
        style_noise: spread of the noise on it, in units of the styles' own spread.
        strays: every other candidate draws a style of the genre after all.
        fine: share of strokes between the 96ths; with a style of one's own.
        hand: how drums are struck, if the beat they join was programmed; see `own_hand`.
        form: of the bars, see `phrase_form`; None decides nothing.
        past: the style is that of bars that are over, not of the take.
        turns: what changes at which 16th.
    """

    given: Grid
    held: np.ndarray
    felt: np.ndarray
    leaning: np.ndarray
    novelty: np.ndarray | None = None
    style: np.ndarray | None = None
    style_noise: float = 0.0
    strays: bool = False
    fine: float = 0.0
    hand: np.ndarray | None = None
    form: np.ndarray | None = None
    past: bool = False
    turns: Mapping[int, Turn] = field(default_factory=dict)

    @classmethod
    def free(cls, steps: int) -> Guide:
        """A guide that holds to nothing."""
        silent, open_ = np.zeros((steps, LANES)), np.zeros((steps, LANES), bool)
        return cls(Grid.empty(steps), open_, open_, silent)


@dataclass(frozen=True)
class Played:
    """What a model played around what was given.

    Attributes:
        beat: only what it added; given cells are left to whoever gave them.
        struck: all cells that sound, given ones too, bool (16ths, 16).
    """

    beat: Beat
    struck: np.ndarray


def style_of(model: GrooveModel, beat: Beat) -> tuple[np.ndarray, float]:
    """The scaled style of a beat, and its share of strokes between the 96ths."""
    clips = ClipSet.of([clip_of(beat, KINDS[1], "")], model.settings.genres)
    style = StyleSums(clips).between(np.array([0]), np.array([clips.steps]))
    return model.tables.scale.scaled(style)[0], float(clips.fine[0])


def own_hand(beat: Beat) -> np.ndarray | None:
    """How a beat's drums are struck, as `Clip.hand`; None for a drummer's beat, who varies."""
    hand = hand_of(beat)
    onsets = np.array([hit.onset_quarters for hit in beat.hits]) * TICKS_PER_QUARTER
    step = np.floor(onsets / TICKS_PER_STEP + 0.5).astype(int)
    offset = onsets - step * TICKS_PER_STEP
    exact = np.abs(offset - hand[[hit.lane for hit in beat.hits], step % 2]) < ON_ITS_PLACE
    exact |= np.abs(offset - np.round(offset)) < ON_ITS_PLACE
    return hand if len(exact) and exact.mean() >= PROGRAMMED_SHARE else None


def is_past(beat: Beat) -> bool:
    """Whether a beat is long enough to tell a style of bars that are over."""
    return beat.bars >= PAST_STYLE_BARS


def play_guided(
    model: GrooveModel,
    requests: Sequence[GenerationRequest],
    guides: Sequence[Guide],
    particles: int = ROWS,
    tuning: Tuning = DEFAULT_TUNING,
) -> list[Played]:
    """An answer per request, each held to its guide.

    Args:
        model: plays.
        requests: of equal length and meter; each is played by `particles` candidates.
        guides: one each.
        particles: 1, 2, 4 or 8; more find what fits given cells better and take longer.
        tuning: how the model is sampled.

    Raises:
        GenerationError: a genre, meter or length that the model cannot play.
    """
    for request in requests:
        model._check(request)
    answers: list[Played] = []
    each = ROWS // particles
    for first in range(0, len(requests), each):
        asked, held = requests[first : first + each], guides[first : first + each]
        rows = [
            replace(request, seed=_particle_seed(request.seed, particle))
            for request in asked
            for particle in range(particles)
        ]
        guided = [guide for guide in held for _ in range(particles)]
        answers += _GuidedBlock(model, rows, guided, particles, tuning).answers()
    return answers


def _particle_seed(seed: int, particle: int) -> int:
    """The first particle draws as the request itself would."""
    if not particle:
        return seed
    return int(np.random.SeedSequence([seed, particle]).generate_state(1, np.uint64)[0] >> 1)


class _GuidedBlock(_Block):
    """A block whose rows are held to guides; groups of `particles` rows play one take."""

    def __init__(
        self,
        model: GrooveModel,
        requests: Sequence[GenerationRequest],
        guides: Sequence[Guide],
        particles: int,
        tuning: Tuning,
    ) -> None:
        super().__init__(model, requests, tuning)
        self.guides, self.particles = list(guides), particles
        self.weights = np.zeros(len(requests))
        self.kinds = [request.feel.kind for request in requests]
        for row, guide in enumerate(guides):
            self.form[row] = 0 if guide.form is None else guide.form
            if guide.style is not None and not (guide.strays and row % particles % 2):
                noise = np.random.default_rng([requests[row].seed, _NOISE]).normal
                spread = guide.style_noise * noise(0, 1, len(guide.style))
                spread[OUTLINE] *= guide.style[OUTLINE].any()
                self.styles[row], self.fine[row] = guide.style + spread, guide.fine
                self.silent[row], self.hands[row] = 0.0, guide.hand
        self.current = self.styles.copy()  # what rows play in now
        seed = [request.seed & 0xFFFFFFFF for request in requests]
        self.chance = np.random.default_rng(seed)  # of resampling

    def answers(self) -> list[Played]:
        """Play to the end; one answer per group, drawn by weight."""
        takes = self.play()
        found = []
        for first in range(0, len(takes), self.particles):
            row = first + self._drawn(first)
            steps = len(self.guides[row].held)
            found.append(Played(takes[row].beat, self.grid(row).velocity[:steps] > 0))
        return found

    def _step(self, now: int) -> None:
        if any(now in guide.turns for guide in self.guides):
            self._turn(now)
        super()._step(now)
        for first in range(0, len(self.requests), self.particles):
            self._resample(first)

    def _turn(self, now: int) -> None:
        for row, guide in enumerate(self.guides):
            if now in guide.turns:
                turn = guide.turns[now]
                self.kinds[row] = turn.kind
                self.current[row] = self.styles[row] if turn.style is None else turn.style
        self.standing = self.network.stand(self._asked())

    def _asked(self) -> Conditions:
        asked = super()._asked()
        past = [guide.past and guide.style is not None for guide in self.guides]
        source = [PAST_STYLE if is_so else OWN_STYLE for is_so in past]
        return replace(
            asked,
            kind=np.array([KINDS.index(kind) for kind in self.kinds]),
            style=self.current,
            style_source=np.array(source),
        )

    # --- cells ---------------------------------------------------------------------------------

    def _strike(self, now: int, heard: Heard) -> np.ndarray:
        """The network weighs what is given, wherever the form decides."""
        units, copied = self.network.lane_heads(heard, self.standing, self.memory)
        asked = len(self.guides)
        flips = heard.lags[:asked, A_BAR]
        logits = copied[:asked] + np.stack([guide.leaning[now] for guide in self.guides])
        logits = logits + self._placed(now)[:asked]
        for row in np.flatnonzero(heard.known[:asked, A_BAR]):
            if (novelty := self.guides[row].novelty) is not None:
                logits[row] += novelty[now] * np.where(flips[row] > 0, -1.0, NOVELTY_BESIDE)
        held = np.stack([guide.held[now] for guide in self.guides])
        given = np.stack([guide.given.velocity[now] > 0 for guide in self.guides])
        struck, logits = self.network.lanes.decide(
            units[:asked],
            logits,
            flips,
            np.where(held, np.where(given, -np.inf, np.inf), self.hit_demands[:asked, now]),
        )
        chance = odds(logits / self.heat["hits"].divisor[:asked, None])
        weight = np.log(np.maximum(np.where(struck, chance, 1 - chance), CERTAIN))
        self.weights += np.where(held, weight, 0.0).sum(1)
        return struck

    def _draw(self, logits: np.ndarray, part: str, at: _Cells) -> np.ndarray:
        chosen = super()._draw(logits, part, at)
        rows, now, lanes, which = at
        name = _GIVEN.get(which)
        if name is not None:
            for place, (row, lane) in enumerate(zip(rows, lanes, strict=True)):
                token = getattr(self.guides[row].given, name)[now, lane]
                if token and self._is_given(row, now, lane):
                    chosen[place] = token - 1
        return chosen

    def _flams(self, tossed: np.ndarray, at: _Cells) -> np.ndarray:
        tossed = tossed.copy()
        rows, now, lanes, _ = at
        for place, (row, lane) in enumerate(zip(rows, lanes, strict=True)):
            if self._is_given(row, now, lane):
                tossed[place] = self.guides[row].given.second_velocity[now, lane] > 0
        return tossed

    def _is_given(self, row: int, now: int, lane: int) -> bool:
        guide = self.guides[row]
        return bool(
            guide.given.velocity[now, lane] and (guide.held[now, lane] or guide.felt[now, lane])
        )

    def _take(self, row: int, grid: Grid) -> Take:
        """What the row added; given cells are left to whoever gave them."""
        guide = self.guides[row]
        steps = len(guide.held)
        taken = guide.held | (guide.felt & (guide.given.velocity > 0))
        parts = {name: part.copy() for name, part in vars(grid).items()}
        for part in parts.values():
            part[:steps][taken] = 0
        for name in ("offset", "second_offset"):
            # the outermost place is the next 16th's as well: stay inside one's own cell
            np.minimum(parts[name], 2 * MAX_OFFSET, out=parts[name])
        return super()._take(row, Grid(**parts))

    # --- particles -----------------------------------------------------------------------------

    def _share(self, first: int) -> np.ndarray:
        weights = self.weights[first : first + self.particles]
        share = np.exp(weights - weights.max())
        shares: np.ndarray = share / share.sum()
        return shares

    def _drawn(self, first: int) -> int:
        share = self._share(first)
        return min(int(np.searchsorted(np.cumsum(share), self.chance.random())), len(share) - 1)

    def _resample(self, first: int) -> None:
        """Copy likely particles over unlikely ones, where few carry the weight."""
        if self.particles == 1:
            return
        share = self._share(first)
        if 1 / (share**2).sum() >= FEWEST_EFFECTIVE * self.particles:
            return
        places = (np.arange(self.particles) + self.chance.random()) / self.particles
        chosen = np.minimum(np.searchsorted(np.cumsum(share), places), self.particles - 1)
        rows = np.arange(self.rows)
        rows[first : first + self.particles] = first + _at_home(chosen)
        self._rearrange(rows)
        self.weights[first : first + self.particles] = 0.0

    def _rearrange(self, rows: np.ndarray) -> None:
        """Row i goes on from what row `rows[i]` has played; its draws stay its own."""
        self.cells, self.content = self.cells[:, rows], self.content[rows]
        self.recent.sums = self.recent.sums[:, rows]
        self.last_step, self.before = self.last_step[rows], self.before[:, rows]
        self.styles, self.current = self.styles[rows], self.current[rows]
        self.fine, self.hands = self.fine[rows], [self.hands[row] for row in rows]
        self.placed = self.placed[:, rows]
        self.repeats = self.repeats and self.repeats.rows(rows)
        self.standing, self.memory = self.standing.of(rows), self.memory.of(rows)


_GIVEN = {
    _VELOCITY: "velocity",
    _OFFSET: "offset",
    _FLAM_VELOCITY: "second_velocity",
    _FLAM_OFFSET: "second_offset",
}


def _at_home(chosen: np.ndarray) -> np.ndarray:
    """The same particles, each that survives in its own place first."""
    placed = np.full(len(chosen), -1)
    spare = []
    for index in chosen:
        if placed[index] < 0:
            placed[index] = index
        else:
            spare.append(index)
    placed[placed < 0] = spare
    return placed
