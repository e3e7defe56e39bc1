"""Tables stored with a groove model: styles of training clips, and velocities by genre."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dj_core.models.groove.streams import LEVELS, Scale
from dj_core.models.groove.style_vector import STYLE_SIZE, StyleSums
from dj_core.models.groove.training_clips import KINDS, ClipSet
from dj_core.music import step_grid

STYLE_BARS = (4, 16)
"""Styles are read off stretches of so many bars: short ones differ more, as short takes should."""


@dataclass(frozen=True)
class Tables:
    """What takes are drawn from beside the network; arrays.

    Attributes:
        mean, spread, density, loudness: the `Scale` of styles.
        styles: scaled styles of stretches of training clips, (n, STYLE_SIZE).
        genre: per style, index among the network's genres.
        tempo_bpm: per style; 0 where the file had none.
        meter, kind: per style, indices in `METERS` and `clips.KINDS`.
        fine: per style, share of strokes that lie anywhere between two 96ths of a quarter.
        bars: per style, which of `STYLE_BARS` it was read off (at most).
        velocities: how often a genre (row) used a velocity (column, 1 to 127; column 0 is empty).
        lean: the style bias to subtract from a played style, see `style_bias`, (STYLE_SIZE).
    """

    mean: np.ndarray
    spread: np.ndarray
    density: np.ndarray
    loudness: np.ndarray
    styles: np.ndarray
    genre: np.ndarray
    tempo_bpm: np.ndarray
    meter: np.ndarray
    kind: np.ndarray
    fine: np.ndarray
    bars: np.ndarray
    velocities: np.ndarray
    lean: np.ndarray = field(default_factory=lambda: np.zeros(STYLE_SIZE, np.float32))

    @property
    def scale(self) -> Scale:
        """The scale the styles are on."""
        return Scale(self.mean, self.spread, self.density, self.loudness)


def stretches(clips: ClipSet, bars: int) -> np.ndarray:
    """Clip, first step and end (rows) of every stretch of `bars` bars, shorter in short clips.

    What is left at the end of a clip counts where it is at least half as long.
    """
    parts = []
    for clip, (start, end, bar) in enumerate(
        zip(clips.starts[:-1], clips.starts[1:], clips.bar_steps, strict=True)
    ):
        first = np.arange(start, end, bar * bars)
        last = np.minimum(first + bar * bars, end)
        kept = (last - first >= bar * bars / 2) | (first == start)
        parts.append(np.stack([np.full(len(first), clip), first, last])[:, kept])
    return np.concatenate(parts, axis=1)


def make_tables(clips: ClipSet, sums: StyleSums, scale: Scale | None = None) -> Tables:
    """The tables of a training set; on a network's own `scale` where it has one already."""
    parts = [stretches(clips, bars) for bars in STYLE_BARS]
    clip, first, end = np.concatenate(parts, axis=1)
    bars = np.repeat(STYLE_BARS, [part.shape[1] for part in parts])
    styles = sums.between(first, end)
    scale = scale or Scale.of(styles)
    velocities = np.zeros((len(clips.genres), step_grid.MAX_VELOCITY + 1))
    np.add.at(velocities, clips.genre, [clip.velocities for clip in clips.clips])
    return Tables(
        mean=scale.mean.astype(np.float32),
        spread=scale.spread.astype(np.float32),
        density=scale.density.astype(np.float32),
        loudness=scale.loudness.astype(np.float32),
        styles=scale.scaled(styles).astype(np.float16),
        genre=clips.genre[clip].astype(np.int16),
        tempo_bpm=clips.tempo_bpm[clip].astype(np.float32),
        meter=clips.meter[clip].astype(np.int8),
        kind=clips.kind[clip].astype(np.int8),
        fine=clips.fine[clip].astype(np.float32),
        bars=bars.astype(np.int16),
        velocities=velocities.astype(np.float32),
    )


def are_whole(tables: Tables, genres: int) -> bool:
    """Whether every table has its shape, and what counts into other tables stays inside them."""
    styles = len(tables.styles)
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (STYLE_SIZE,),
        "spread": (STYLE_SIZE,),
        "lean": (STYLE_SIZE,),
        "density": (LEVELS - 1,),
        "loudness": (LEVELS - 1,),
        "styles": (styles, STYLE_SIZE),
        "velocities": (genres, step_grid.MAX_VELOCITY + 1),
    }
    if not styles or any(
        table.shape != shapes.get(name, (styles,)) for name, table in vars(tables).items()
    ):
        return False
    ends = {"genre": genres, "meter": len(step_grid.METERS), "kind": len(KINDS)}
    counted = all(
        getattr(tables, name).dtype.kind == "i"
        and getattr(tables, name).min() >= 0
        and getattr(tables, name).max() < end
        for name, end in ends.items()
    )
    return counted and bool((tables.spread > 0).all() and (tables.velocities >= 0).all())
