"""The sliders: changes a beat's density, syncopation, swing, loudness or complexity to a target.

Swing and loudness are set exactly, stroke by stroke. For the others `steering` chooses which
strokes come and go, by what the model expects in this very loop; the model then plays those that
come among those that stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dj_core.errors import GenerationError
from dj_core.evaluation.judged_clips import stretch
from dj_core.models.request import BeatModel
from dj_core.music.beat import Beat, Hit
from dj_core.music.step_grid import LANES, MAX_OFFSET, STEPS_PER_QUARTER, Grid
from dj_core.shaping.attributes import (
    NAMES,
    RANGES,
    Norm,
    Straightened,
    attributes,
    genre_norm,
    with_loudness,
    with_swing,
)
from dj_core.shaping.locks import Keep, cell_of, struck
from dj_core.shaping.morphing import looped
from dj_core.shaping.playing import bar_cells, grid_of, guide_for, request_like, shaper, with_played
from dj_core.shaping.steering import STEERED, Board, steer

if TYPE_CHECKING:
    from dj_core.models.groove.groove_player import GrooveModel

FURTHEST = 2.0  # spreads either way
CERTAIN = 100.0  # log odds of a stroke that was decided


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
    seed: int = 1,
) -> Beat:
    """`beat` with what was asked for, and as little else changed as can be.

    Args:
        model: a groove model (asked only for density, syncopation and complexity).
        beat: in a meter the model knows.
        controls: what to change.
        keep: cells that no slider changes in number; their level and swing may still change.
        seed: another seed, another answer.

    Raises:
        GenerationError: a model or meter that cannot be played around.
    """
    norm = genre_norm(beat.genre)
    was = attributes(beat)
    targets = {name: norm.target(name, asked) for name, asked in controls.asked.items()}
    steered = {name: targets[name] for name in STEERED if name in targets}
    settings = {"shape": "adjust", "seed": seed, "asked": dict(targets)}
    result = beat
    if beat.hits and steered:
        result = _steered(shaper(model), beat, keep, steered, norm, settings)
    elif beat.hits and targets:
        result = replace(beat, provenance=replace(beat.provenance, settings=settings))
    if result.hits:
        if "swing" in targets:
            result = with_swing(result, _within("swing", targets["swing"]))
        loudness = targets.get("loudness", was.loudness if steered else None)
        if loudness is not None:
            result = with_loudness(result, _within("loudness", loudness))
    return result


def _within(name: str, value: float) -> float:
    low, high = RANGES[name]
    return min(max(value, low), high)


def _steered(
    model: GrooveModel,
    beat: Beat,
    keep: Keep,
    goals: dict[str, float],
    norm: Norm,
    settings: dict[str, Any],
) -> Beat:
    """`beat` with other cells struck, the new ones played by the model among those kept."""
    from dj_core.models.groove.infilling import play_guided, style_of
    from dj_core.models.groove.loop_odds import loop_log_odds

    loop, seed = _Loop(beat, keep), settings["seed"]
    request = request_like(model, beat, seed=seed)

    def odds(loops: np.ndarray) -> np.ndarray:
        grids = [loop.grid(cells) for cells in loops]
        heard = loop_log_odds(model, grids, beat.meter, request.genre, beat.playing_tempo_bpm)
        return heard[:, loop.sounding_step]

    cells = steer(loop.board, goals, norm, odds, seed)
    kept = tuple(hit for hit, cell in zip(beat.hits, loop.cell_of_hit, strict=True) if cells[cell])
    new = cells & ~loop.board.cells
    hits: list[Hit] = []
    if new.any():
        coming = np.zeros(new.shape, bool)
        step, lane = np.nonzero(new)
        coming[loop.sounding_step[step], lane] = True
        # a bar of the loop leads in
        around = stretch(
            looped(replace(beat, hits=kept), 2 * beat.bars), beat.bars - 1, beat.bars + 1
        )
        coming = np.concatenate([coming[-bar_cells(beat) :], coming]) & ~struck(around)
        style, fine = style_of(model, beat)
        leaning = np.where(coming, CERTAIN, 0.0)
        guide = guide_for(around, ~coming, style=style, fine=fine, leaning=leaning)
        request = request_like(model, around, seed=seed)
        played = play_guided(model, [request], [guide], particles=1)[0].beat
        lead_in = beat.meter.bar_quarters
        hits = [
            replace(hit, onset_quarters=loop.settled(hit.onset_quarters - lead_in))
            for hit in played.hits
            if hit.onset_quarters >= lead_in - 0.5 / STEPS_PER_QUARTER
        ]
    return with_played(beat, kept, replace(beat, hits=tuple(hits)), model, settings)


class _Loop:
    """A beat as `steering` sees it, played straight, and the way back to how it swings."""

    def __init__(self, beat: Beat, keep: Keep) -> None:
        self.straight = Straightened(beat)
        self.cell_of_hit = self.straight.cells
        self.heard = grid_of(beat)
        steps = len(self.heard.velocity)
        cells = np.zeros((steps, LANES), bool)
        mask = keep.mask(beat)
        # where a straight 16th sounds: in a swing of 8ths the offbeat is the beat's last 16th
        self.sounding_step = self.straight.sounding_steps
        free = ~mask[self.sounding_step]
        for hit, cell in zip(beat.hits, self.cell_of_hit, strict=True):
            cells[cell] = True
            free[cell] &= not mask[cell_of(hit, steps)]
        shared = np.diff(self.sounding_step, prepend=-1) == 0
        free &= cells | ~shared[:, None]  # that 16th sounds as the offbeat already
        self.board = Board(cells, free, bar_cells(beat), self.straight.swung_pair)
        # how hard a new stroke of a lane is until the model has played it
        levels = self.heard.velocity
        usual = np.median(levels[levels > 0]) if levels.any() else 16
        self.level = np.array(
            [np.median(lane[lane > 0]) if lane.any() else usual for lane in levels.T]
        ).astype(np.uint8)

    def grid(self, cells: np.ndarray) -> Grid:
        """Other cells of the loop as they would sound."""
        sounds = np.zeros(cells.shape, bool)
        step, lane = np.nonzero(cells)
        sounds[self.sounding_step[step], lane] = True
        new = sounds & (self.heard.velocity == 0)
        parts = {name: np.where(sounds, part, 0) for name, part in vars(self.heard).items()}
        parts["velocity"] = np.where(new, self.level, parts["velocity"])
        parts["offset"] = np.where(new, MAX_OFFSET + 1, parts["offset"])
        return Grid(**{name: part.astype(np.uint8) for name, part in parts.items()})

    def settled(self, onset_quarters: float) -> float:
        """A new stroke's onset, such that it belongs to the cell it was meant for."""
        sounds = math.floor(onset_quarters * STEPS_PER_QUARTER + 0.5)
        step = int(np.searchsorted(self.sounding_step, sounds))
        latest = float(np.nextafter(len(self.board.cells) / STEPS_PER_QUARTER, 0))
        return min(max(self.straight.settled(onset_quarters, step), 0.0), latest)
