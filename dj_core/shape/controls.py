"""Sliders the model hears: a beat made denser, more syncopated, more complex, to a measured target.

Swing and loudness are set exactly, stroke by stroke. For the others the model plays the beat again,
pulled towards what it was (`NEARNESS`) and leant towards what is asked; eight answers side by side,
three times, each time around the best so far. The best is the one that comes nearest to the target
while everything that was not asked for stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dj_core.beat import Beat
from dj_core.drums import DRUMS
from dj_core.errors import GenerationError
from dj_core.sampling import BeatModel
from dj_core.shape.attributes import (
    NAMES,
    RANGES,
    Attributes,
    Norm,
    attributes,
    genre_norm,
    weights,
    with_loudness,
    with_swing,
)
from dj_core.shape.keeping import Keep, hits_in, struck
from dj_core.shape.playing import (
    bar_cells,
    felt_hits,
    guide_for,
    request_like,
    shaper,
    with_played,
)

if TYPE_CHECKING:
    from dj_core.groove.sampling import GrooveModel

FURTHEST = 2.0  # spreads either way
PLAYED = ("density", "syncopation", "complexity")  # what only the model can change
ANSWERS, ROUNDS = 8, 5
NEARNESS = 1.0  # log odds by which a cell is held to what it was
NEAR_ENOUGH = 0.01  # squared slider units from the target
BESIDE = 0.5  # how much a change nobody asked for counts beside a missed target
WEAKNESS_LEANING = (-0.6, -0.6, -0.3, 1.0, 1.0)  # by weakness of the place, the one first
STRONGEST = 5.0  # log odds of a leaning


@dataclass(frozen=True)
class Controls:
    """Where the sliders stand, in spreads from what is usual in the genre (-2 to 2).

    None leaves an attribute as the beat has it.

    Raises:
        GenerationError: a slider beyond its ends.
    """

    density: float | None = None
    syncopation: float | None = None
    swing: float | None = None
    loudness: float | None = None
    complexity: float | None = None

    def __post_init__(self) -> None:
        for name in NAMES:
            value = getattr(self, name)
            if value is not None and not -FURTHEST <= value <= FURTHEST:
                raise GenerationError(
                    f"{name} is set from {-FURTHEST:g} to {FURTHEST:g} around what is usual; got "
                    f"{value:g}."
                )

    @property
    def asked(self) -> dict[str, float]:
        """The sliders that are set, by name."""
        return {name: getattr(self, name) for name in NAMES if getattr(self, name) is not None}


def adjust(
    model: BeatModel,
    beat: Beat,
    controls: Controls,
    keep: Keep = Keep(),  # noqa: B008 (frozen)
    *,
    norm: Norm | None = None,
    seed: int = 1,
) -> Beat:
    """`beat` with what was asked for, and as little else changed as can be.

    Args:
        model: a groove model (asked only for density, syncopation and complexity).
        beat: in a meter the model knows.
        controls: what to change.
        keep: cells that no slider changes in number; their level and swing may still change.
        norm: what is usual; None for what is usual in the beat's genre.
        seed: another seed, another answer.

    Raises:
        GenerationError: a model or meter that cannot be played around.
    """
    norm = norm or genre_norm(beat.genre)
    was = attributes(beat)
    targets = {name: norm.target(name, asked) for name, asked in controls.asked.items()}
    result = beat
    if beat.hits and any(name in targets for name in PLAYED):
        result = _Search(shaper(model), beat, keep, was, targets, norm, seed).best()
    if result.hits:
        swing = targets.get("swing", was.swing if result is not beat else None)
        if swing is not None:
            result = with_swing(result, _within("swing", swing))
        loudness = targets.get("loudness", was.loudness if result is not beat else None)
        if loudness is not None:
            result = with_loudness(result, _within("loudness", loudness))
    return result


def _within(name: str, value: float) -> float:
    low, high = RANGES[name]
    return min(max(value, low), high)


class _Search:
    """Answers of the model around ever better leanings."""

    def __init__(
        self,
        model: GrooveModel,
        beat: Beat,
        keep: Keep,
        was: Attributes,
        targets: dict[str, float],
        norm: Norm,
        seed: int,
    ) -> None:
        from dj_core.groove.shaping import style_of

        self.model, self.beat, self.norm, self.seed = model, beat, norm, seed
        self.targets = {**was.as_dict(), **targets}
        self.asked = [name for name in PLAYED if name in targets]
        style, fine = style_of(model, beat)
        self.cells, self.held = struck(beat), keep.mask(beat)
        self.base = guide_for(
            beat, self.held, felt=~self.held, style=style, fine=fine,
            leaning=np.where(self.cells, NEARNESS, -NEARNESS),
        )  # fmt: skip
        self.settings = {"shape": "adjust", "seed": seed, "asked": dict(targets)}

    def best(self) -> Beat:
        """The best answer found."""
        random = np.random.default_rng([self.seed, 5])
        now = attributes(self.beat).as_dict()
        found, cost = self.beat, self._cost(self.beat)
        centre = np.zeros(len(PLAYED))
        span = np.zeros(len(PLAYED))
        for place, name in enumerate(PLAYED):
            if name in self.asked:
                span[place] = np.sign(self.targets[name] - now[name]) * STRONGEST
        leanings = np.linspace(0, 1, ANSWERS)[:, None] ** 1.5 * span
        for turn in range(ROUNDS):
            for leaning, answer in zip(leanings, self._answers(leanings), strict=True):
                its = self._cost(answer)
                if its < cost:
                    found, cost, centre = answer, its, leaning
            if cost < NEAR_ENOUGH:
                break
            width = 1.6 * 0.6**turn
            noise = random.normal(0, width, (ANSWERS, len(PLAYED)))
            leanings = np.clip(centre + noise, -2 * STRONGEST, 2 * STRONGEST)
        return found

    def _cost(self, answer: Beat) -> float:
        """Squared slider units from the targets; swing and loudness are set later."""
        its = attributes(answer).as_dict()
        total = 0.0
        for name in PLAYED:
            off = self.norm.position(name, its[name]) - self.norm.position(name, self.targets[name])
            total += off**2 * (1.0 if name in self.asked else BESIDE)
        return total

    def _answers(self, leanings: np.ndarray) -> Sequence[Beat]:
        from dj_core.groove.shaping import play_guided

        guides = [self._guide(*leaning) for leaning in leanings]
        request = request_like(self.model, self.beat, seed=self.seed)
        played = play_guided(self.model, [request] * len(guides), guides, particles=1)
        return [
            with_played(
                self.beat,
                (*hits_in(self.beat, self.held),
                 *felt_hits(self.beat, guide.felt, answer.struck)),
                answer.beat,
                self.model,
                self.settings,
            )
            for guide, answer in zip(guides, played, strict=True)
        ]  # fmt: skip

    def _guide(self, density: float, syncopation: float, complexity: float):  # noqa: ANN202
        """The base leant: all cells, weak places of the backbone, and away from the bar before."""
        per_bar = bar_cells(self.beat)
        strength = weights(per_bar)
        profile = np.array([WEAKNESS_LEANING[-weight] for weight in strength])
        place = np.tile(profile, self.beat.bars)[:, None] * _BACKBONE
        leaning = self.base.leaning + density + syncopation * place
        novelty = np.full(len(self.held), complexity)
        return replace(self.base, leaning=leaning, novelty=novelty)


_BACKBONE = np.array([drum.family in ("kick", "snare", "tom") for drum in DRUMS], float)
