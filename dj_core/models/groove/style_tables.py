"""Tables stored with a groove model: styles of training clips, and velocities by genre."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dj_core.models.groove.phrase_form import HALVES, LARGEST, REST, form_of
from dj_core.models.groove.streams import LEVELS, Scale
from dj_core.models.groove.style_vector import OUTLINE, OUTLINE_SIZE, STYLE_SIZE, StyleSums
from dj_core.models.groove.training_clips import KINDS, ClipSet
from dj_core.music import step_grid
from dj_core.music.genres import MOST_ENERGY, ROLES

STYLE_BARS = (4, 8, 16)
"""Styles are read off stretches of so many bars: short ones differ more, as short takes should."""
PLACED_ROLES = ("groove", "drop")  # whose drums are placed as often as in the material
PLACES = 16  # of a bar of 4/4, that `Tables.placement` knows
STEPS_A_SPREAD = 31  # styles are stored in so many steps to a spread: -4 to 4 in eight bits
STEPS_OF_OUTLINE = 124  # and outlines, 0 to 1, in so many


@dataclass(frozen=True)
class Tables:
    """What takes are drawn from beside the network; arrays.

    Attributes:
        mean, spread, density, loudness: the `Scale` of styles.
        styles: scaled styles of stretches of training clips in whole steps, see `style`; all
            numbers but the outline's, (n, OUTLINE.start).
        outline: per style, its row in `outlines`; -1 where it has none.
        outlines: (rows, OUTLINE_SIZE), in whole steps.
        phrase: per style, its row in `hands`; -1 where it is no phrase's.
        hands: of each phrase, see `training_clips.hand_of`, (phrases, 16, 3).
        form: per style, its row in `form_drums`; -1 where it is no phrase's.
        form_drums: of each form, its drums' rows in `forms`, (rows, 16).
        forms: of one drum, see `phrase_form`; many share one, (n, 16 half bars).
        genre: per style, index among the network's genres.
        tempo_bpm: per style; 0 where the file had none.
        meter, kind: per style, indices in `METERS` and `clips.KINDS`.
        drums: per style, the drums that sound in it: bit n for row n of the drum table.
        role, energy: per style, as in `streams.Conditions`.
        fine: per style, share of strokes that lie anywhere between two 96ths of a quarter.
        bars: per style, which of `STYLE_BARS` it was read off (at most).
        velocities: how often a genre (row) used a velocity (column, 1 to 127; column 0 is empty).
        placement: what to add to the log odds of a strike in a dance style's grooves and drops,
            per genre, 16th of the bar and drum; see `placement_bias`, (genres, 16, 16).
        bias: the style bias to subtract from a played style, see `style_bias`, (STYLE_SIZE).
    """

    mean: np.ndarray
    spread: np.ndarray
    density: np.ndarray
    loudness: np.ndarray
    styles: np.ndarray
    outline: np.ndarray
    outlines: np.ndarray
    phrase: np.ndarray
    hands: np.ndarray
    form: np.ndarray
    form_drums: np.ndarray
    forms: np.ndarray
    genre: np.ndarray
    tempo_bpm: np.ndarray
    meter: np.ndarray
    kind: np.ndarray
    drums: np.ndarray
    role: np.ndarray
    energy: np.ndarray
    fine: np.ndarray
    bars: np.ndarray
    velocities: np.ndarray
    placement: np.ndarray
    bias: np.ndarray = field(default_factory=lambda: np.zeros(STYLE_SIZE, np.float32))

    @property
    def scale(self) -> Scale:
        """The scale the styles are on."""
        return Scale(self.mean, self.spread, self.density, self.loudness)

    def style(self, rows: np.ndarray | int) -> np.ndarray:
        """Scaled styles of some rows, (..., STYLE_SIZE)."""
        numbers, outline = self.styles[rows], self.outline[rows]
        found = np.zeros((*numbers.shape[:-1], STYLE_SIZE))
        found[..., : OUTLINE.start] = numbers / float(STEPS_A_SPREAD)
        known = np.asarray(outline >= 0)
        found[known, OUTLINE] = self.outlines[outline[known]] / float(STEPS_OF_OUTLINE)
        return found

    def hand(self, row: int) -> np.ndarray | None:
        """The hand of a style's phrase, (16, 3); None where the style is no phrase's."""
        phrase = int(self.phrase[row])
        return self.hands[phrase].astype(np.float64) if phrase >= 0 else None

    def form_at(self, row: int) -> np.ndarray | None:
        """The form of a style's phrase, (16, 16); None where the style is no phrase's."""
        form = int(self.form[row])
        return self.forms[self.form_drums[form]].T if form >= 0 else None


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
    scale = scale or Scale.of(sums.between(first, end))
    # of phrases some are enough, and none at a length that they have not
    short = clips.is_dance[clip] & (end - first < bars * clips.bar_steps[clip])
    kept = clips.stored[clip] & ~short
    clip, first, end, bars = clip[kept], first[kept], end[kept], bars[kept]
    styles = scale.scaled(sums.between(first, end))
    outlined = styles[:, OUTLINE].any(1)
    written = np.array([clip.hand is not None for clip in clips.clips])
    phrases = np.unique(clip[written[clip]])
    hands = [clips.clips[phrase].hand for phrase in phrases]
    is_phrase = written[clip]
    found = [
        form_of(
            clips.grid(first[row], end[row]),
            int(clips.bar_steps[clip[row]]),
            clips.clips[clip[row]].hand,
        ).T
        for row in np.flatnonzero(is_phrase)
    ]
    drums_by_row = np.array(found, np.int32).reshape(-1, HALVES)
    forms, drums_of = np.unique(drums_by_row, axis=0, return_inverse=True)
    heard, bits = clips.velocity > 0, 1 << np.arange(step_grid.LANES)
    velocities = np.zeros((len(clips.genres), step_grid.MAX_VELOCITY + 1))
    np.add.at(velocities, clips.genre, [clip.velocities for clip in clips.clips])
    return Tables(
        mean=scale.mean.astype(np.float32),
        spread=scale.spread.astype(np.float32),
        density=scale.density.astype(np.float32),
        loudness=scale.loudness.astype(np.float32),
        styles=np.rint(styles[:, : OUTLINE.start] * STEPS_A_SPREAD).astype(np.int8),
        outline=np.where(outlined, np.cumsum(outlined) - 1, -1).astype(np.int32),
        outlines=np.rint(styles[outlined, OUTLINE] * STEPS_OF_OUTLINE).astype(np.int8),
        phrase=np.where(is_phrase, np.searchsorted(phrases, clip), -1).astype(np.int32),
        hands=np.array(hands, np.float16).reshape(-1, step_grid.LANES, 3),
        form=np.where(is_phrase, np.cumsum(is_phrase) - 1, -1).astype(np.int32),
        form_drums=drums_of.reshape(-1, step_grid.LANES).astype(np.int32),
        forms=forms,
        genre=clips.genre[clip].astype(np.int16),
        tempo_bpm=clips.tempo_bpm[clip].astype(np.float32),
        meter=clips.meter[clip].astype(np.int8),
        kind=clips.kind[clip].astype(np.int8),
        drums=np.array(
            [int(heard[a:b].any(0) @ bits) for a, b in zip(first, end, strict=True)], np.int32
        ),
        role=clips.role[clip].astype(np.int8),
        energy=clips.energy[clip].astype(np.int8),
        fine=clips.fine[clip].astype(np.float32),
        bars=bars.astype(np.int16),
        velocities=velocities.astype(np.float32),
        placement=np.zeros((len(clips.genres), PLACES, step_grid.LANES), np.float16),
    )


def are_whole(tables: Tables, genres: int) -> bool:
    """Whether every table has its shape, and what counts into other tables stays inside them."""
    styles = len(tables.styles)
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (STYLE_SIZE,),
        "spread": (STYLE_SIZE,),
        "bias": (STYLE_SIZE,),
        "density": (LEVELS - 1,),
        "loudness": (LEVELS - 1,),
        "styles": (styles, OUTLINE.start),
        "outlines": (len(tables.outlines), OUTLINE_SIZE),
        "hands": (len(tables.hands), step_grid.LANES, 3),
        "form_drums": (len(tables.form_drums), step_grid.LANES),
        "forms": (len(tables.forms), HALVES),
        "velocities": (genres, step_grid.MAX_VELOCITY + 1),
        "placement": (genres, PLACES, step_grid.LANES),
    }
    if not styles or any(
        table.shape != shapes.get(name, (styles,)) for name, table in vars(tables).items()
    ):
        return False
    ends = {
        "genre": genres,
        "meter": len(step_grid.METERS),
        "kind": len(KINDS),
        "drums": 1 << step_grid.LANES,
        "role": len(ROLES) + 1,
        "energy": MOST_ENERGY + 1,
    }
    counted = all(
        getattr(tables, name).dtype.kind == "i"
        and getattr(tables, name).min() >= 0
        and getattr(tables, name).max() < end
        for name, end in ends.items()
    )
    if any(table.dtype != np.int8 for table in (tables.styles, tables.outlines)):
        return False
    if tables.forms.dtype != np.int32 or ((tables.forms < REST) | (tables.forms > LARGEST)).any():
        return False
    for row, least, rows in (
        (tables.outline, -1, tables.outlines),
        (tables.phrase, -1, tables.hands),
        (tables.form, -1, tables.form_drums),
        (tables.form_drums, 0, tables.forms),
    ):
        if row.dtype != np.int32 or (row.size and not least <= row.min() <= row.max() < len(rows)):
            return False
    floats = (tables.placement, tables.hands)
    if not all(np.isfinite(table.astype(np.float32)).all() for table in floats):
        return False
    return counted and bool((tables.spread > 0).all() and (tables.velocities >= 0).all())
