"""The style vector of a clip: density, placement, velocity, timing and repetition per drum.

Styles of dance music also hold an outline: on which 16ths of two bars kick, snare, hats and
percussion play, and how often. Drummers' styles leave it at zero, so that no take copies a clip.

All of them are ratios of sums over steps, so the style of any stretch of a performance is
computed quickly from cumulative sums.
"""

from __future__ import annotations

import itertools

import numpy as np

from dj_core.models.groove.training_clips import ClipSet
from dj_core.music.drums import LANE
from dj_core.music.step_grid import CEILING_BIN, LANES, MAX_OFFSET, STEPS_PER_QUARTER, velocity_bin

VOICES: tuple[tuple[str, ...], ...] = (
    ("kick",),
    ("snare",),
    ("side_stick", "clap"),
    ("closed_hat",),
    ("pedal_hat",),
    ("open_hat",),
    ("low_tom", "mid_tom", "high_tom"),
    ("crash",),
    ("ride",),
    ("tambourine", "shaker", "cowbell", "conga"),
)
"""Drums whose strokes are told apart in a style."""

OVERLAP_STEPS = (1, 2, 3, 4, 6, 8)
OVERLAP_BARS = (1, 2)
"""Distances, in 16ths and in bars, at which a stretch is compared with itself."""

GHOST_BELOW, LOUD_ABOVE = 40, 110  # MIDI velocities
_CLIPS_AT_ONCE = 256  # whose sums are worked out together
FAR = 10  # 96ths of a quarter off the 16th: nearly half way to the next

PHASES = ("on_beat", "on_eighth")  # the beat's first 16th and its third; the rest lie between
SHARED_NAMES = (
    *("density", "loudness", "active", "pairs", "threes", "accent on beat", "accent between"),
    *("offset on eighth", "offset between", "flams", "ceiling", "ghosts", "loud", "on grid", "far"),
    *("on beat", "apart"),
    *(f"alike {lag} steps" for lag in OVERLAP_STEPS),
    *(f"alike {bars} bars" for bars in OVERLAP_BARS),
    *("offsets correlate", "velocities correlate"),
)
VOICE_NAMES = (
    *("often", "velocity", "velocity spread", "offset", "offset spread", "ceiling"),
    *(f"{what} {phase}" for phase in PHASES for what in ("share", "velocity", "offset")),
    *(f"{what} by {time}" for time in ("step", "bar") for what in ("velocity", "offset")),
)
OUTLINE_VOICES: tuple[tuple[str, ...], ...] = (
    ("kick",),
    ("snare", "clap"),
    ("closed_hat", "pedal_hat", "ride", "shaker"),
    ("open_hat", "crash"),
    ("side_stick", "tambourine", "cowbell", "conga", "low_tom", "mid_tom", "high_tom"),
)
"""Drums whose places in two bars an outline tells apart."""
OUTLINE_STEPS = 32
OUTLINE_SIZE = OUTLINE_STEPS * len(OUTLINE_VOICES)
STYLE_NAMES = (
    *SHARED_NAMES,
    *(f"{voice[0]}: {n}" for n in VOICE_NAMES for voice in VOICES),
    *(f"{voice[0]} on {step}" for step in range(OUTLINE_STEPS) for voice in OUTLINE_VOICES),
)
"""What the numbers of a style say, in their order."""
STYLE_SIZE = len(STYLE_NAMES)
OUTLINE = slice(STYLE_SIZE - OUTLINE_SIZE, STYLE_SIZE)
"""Where a style holds its outline: step by step, a number a voice."""
DENSITY, LOUDNESS = STYLE_NAMES.index("density"), STYLE_NAMES.index("loudness")
"""Where a style says how many cells of a step are struck, and how hard on average."""

_VOICE_OF_LANE = np.zeros((LANES, len(VOICES)), np.float32)
for _voice, _names in enumerate(VOICES):
    for _name in _names:
        _VOICE_OF_LANE[LANE[_name], _voice] = 1.0


_OUTLINE_VOICE_OF_LANE = np.zeros((LANES, len(OUTLINE_VOICES)), np.float32)
for _voice, _names in enumerate(OUTLINE_VOICES):
    for _name in _names:
        _OUTLINE_VOICE_OF_LANE[LANE[_name], _voice] = 1.0


NUMBERS_OF_LANE = np.array(
    [
        [len(SHARED_NAMES) + number * len(VOICES) + voice for number in range(len(VOICE_NAMES))]
        for voice in _VOICE_OF_LANE.argmax(1)
    ]
)
"""Per lane, where a style speaks of its voice: (16, numbers of a voice)."""


class StyleSums:
    """Cumulative sums over the steps of a clip set, from which styles are read."""

    def __init__(self, clips: ClipSet) -> None:
        self._clips = clips
        # sums start anew with every clip, which keeps them small enough for 32 bits
        count = len(clips.clips)
        for first in range(0, count, _CLIPS_AT_ONCE):
            some = ClipSet(clips.clips[first : first + _CLIPS_AT_ONCE], clips.genres)
            shared, voices = _shared_quantities(some), _voice_quantities(some)
            steps = np.hstack([np.stack(list(shared.values()), axis=1), *voices.values()])
            if not first:
                self._names = (tuple(shared), tuple(voices))
                self._sums = np.zeros((clips.steps + count, steps.shape[1]), np.float32)
            row = clips.starts[first] + first
            for start, end in itertools.pairwise(some.starts):
                sums = np.cumsum(steps[start:end], axis=0)
                self._sums[row + 1 : row + 1 + end - start] = sums
                row += 1 + end - start
        struck = (clips.velocity[:-1] > 0).astype(np.float32) @ _OUTLINE_VOICE_OF_LANE
        self._outlined = np.minimum(struck, 1.0)

    def between(self, first: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Styles (n, STYLE_SIZE) of the stretches from step `first` up to, not with, `end`.

        A stretch lies inside one clip.
        """
        first, end = np.asarray(first), np.asarray(end)
        starts = self._clips.starts
        clip = np.minimum(np.searchsorted(starts, first, side="right"), len(starts) - 1) - 1
        sums = self._sums[end + clip].astype(np.float64) - self._sums[first + clip]
        shared, voices = self._names
        apart = sums[:, len(shared) :].reshape(len(sums), len(voices), len(VOICES))
        one = {name: sums[:, index] for index, name in enumerate(shared)}
        many = {name: apart[:, index] for index, name in enumerate(voices)}
        outlines = self._outlines(clip, first, end)
        return np.hstack([_shared_style(one), *_voice_style(many, one["steps"]), outlines])

    def _outlines(self, clip: np.ndarray, first: np.ndarray, end: np.ndarray) -> np.ndarray:
        """How often each outlined voice plays on each 16th of two bars, (n, OUTLINE_SIZE)."""
        clips = self._clips
        found = np.zeros((len(first), OUTLINE_STEPS, len(OUTLINE_VOICES)))
        for row in np.flatnonzero(clips.is_dance[clip]):
            heard = self._outlined[first[row] : end[row]]
            if 2 * clips.bar_steps[clip[row]] != OUTLINE_STEPS or not len(heard):
                continue
            place = np.arange(len(heard)) % OUTLINE_STEPS
            times = np.maximum(np.bincount(place, minlength=OUTLINE_STEPS), 1)
            np.add.at(found[row], place, heard)
            found[row] /= times[:, None]
        return found.reshape(len(first), OUTLINE_SIZE)


class _Cells:
    """A clip set as numbers to be summed: arrays (steps, ...), all but `voice` of float32."""

    def __init__(self, clips: ClipSet) -> None:
        self.clips = clips
        self.hit = (clips.velocity[:-1] > 0).astype(np.float32)
        self.velocity = self.hit * (clips.velocity[:-1].astype(np.float32) - 1) / CEILING_BIN
        offset = clips.offset[:-1].astype(np.float32) - 1 - MAX_OFFSET
        self.offset = self.hit * offset / MAX_OFFSET
        lengths = np.diff(clips.starts)
        self.start = np.repeat(clips.starts[:-1], lengths)
        self.position = np.arange(clips.steps) - self.start
        self.bar = np.repeat(clips.bar_steps, lengths)
        # of the beat's four 16ths: the first, the third, and the two between
        self.on_beat = (self.position % STEPS_PER_QUARTER == 0)[:, None]
        self.on_eighth = (self.position % STEPS_PER_QUARTER == 2)[:, None]
        self.between = (self.position % 2 == 1)[:, None]

    def earlier(self, lag: int | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows `lag` 16ths ago, and 1 where there was one in the clip, (steps, 1)."""
        known = self.position >= lag
        return np.where(known, np.arange(len(known)) - lag, 0), known[:, None]


def _shared_quantities(clips: ClipSet) -> dict[str, np.ndarray]:
    """What is summed of all drums together: name to an array of a number per step."""
    cells = _Cells(clips)
    hit, velocity, offset = cells.hit, cells.velocity, cells.offset
    together = hit.sum(1)
    level = clips.velocity[:-1]
    apart = np.where(hit > 0, offset, -np.inf).max(1) - np.where(hit > 0, offset, np.inf).min(1)
    quantities = {
        "steps": np.ones(clips.steps),
        "cells": together,
        "active": together > 0,
        "pairs": together == 2,
        "threes": together == 3,
        "velocity": velocity.sum(1),
        "velocity on beat": (velocity * cells.on_beat).sum(1),
        "on beat": (hit * cells.on_beat).sum(1),
        "velocity between": (velocity * cells.between).sum(1),
        "between": (hit * cells.between).sum(1),
        "offset on eighth": (offset * cells.on_eighth).sum(1),
        "on eighth": (hit * cells.on_eighth).sum(1),
        "offset between": (offset * cells.between).sum(1),
        "second": (clips.second_velocity[:-1] > 0).sum(1),
        "ceiling": (level == CEILING_BIN + 1).sum(1),
        "ghosts": (hit * (level <= velocity_bin(GHOST_BELOW))).sum(1),
        "loud": (level > velocity_bin(LOUD_ABOVE) + 1).sum(1),
        "on grid": (clips.offset[:-1] == MAX_OFFSET + 1).sum(1),
        "far": (np.abs(offset) * MAX_OFFSET >= FAR).sum(1),
        "apart": np.where(together > 0, apart, 0),
    }
    for lag in OVERLAP_STEPS:
        quantities |= _overlap(cells, lag, f"{lag} steps")
    for bars in OVERLAP_BARS:
        quantities |= _overlap(cells, bars * cells.bar, f"{bars} bars")
    return quantities | _neighbours(cells)


def _overlap(cells: _Cells, lag: int | np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Cells struck now and `lag` ago, and cells struck at either time."""
    rows, known = cells.earlier(lag)
    before = cells.hit[rows]
    both, either = np.minimum(cells.hit, before), np.maximum(cells.hit, before)
    return {f"both {name}": (both * known).sum(1), f"either {name}": (either * known).sum(1)}


def _neighbours(cells: _Cells) -> dict[str, np.ndarray]:
    """Sums for the correlation of a stroke's offset, and velocity, with the next one's."""
    # as they sound: within a 16th the early ones first
    row, lane = np.nonzero(cells.hit)
    order = np.lexsort((cells.offset[row, lane], row))
    row, lane = row[order], lane[order]
    same = cells.start[row[1:]] == cells.start[row[:-1]]
    now, before = (row[1:][same], lane[1:][same]), (row[:-1][same], lane[:-1][same])
    quantities = {"neighbours": np.bincount(now[0], minlength=len(cells.hit)).astype(float)}
    for name, values in (("offset", cells.offset), ("velocity", cells.velocity)):
        y, x = values[now].astype(float), values[before].astype(float)
        for what, product in (("x", x), ("y", y), ("xx", x * x), ("yy", y * y), ("xy", x * y)):
            summed = np.bincount(now[0], weights=product, minlength=len(cells.hit))
            quantities[f"{name} {what}"] = summed
    return quantities


def _voice_quantities(clips: ClipSet) -> dict[str, np.ndarray]:
    """What is summed of every voice: name to an array (steps, voices)."""
    cells = _Cells(clips)
    hit, velocity, offset = cells.hit, cells.velocity, cells.offset
    by_cell = {
        "count": hit,
        "velocity": velocity,
        "velocity 2": velocity**2,
        "offset": offset,
        "offset 2": offset**2,
        "ceiling": hit * (clips.velocity[:-1] == CEILING_BIN + 1),
    }
    for phase in PHASES:
        here = getattr(cells, phase)
        by_cell[phase] = hit * here
        by_cell[f"velocity {phase}"] = velocity * here
        by_cell[f"offset {phase}"] = offset * here
    lanes = np.arange(LANES)
    last = clips.last_hit[:-1]
    rows, known = cells.earlier(cells.bar)
    for name, row, there in (
        ("step", np.maximum(last, 0), hit * (last >= cells.start[:, None])),
        ("bar", np.repeat(rows[:, None], LANES, axis=1), hit * known * cells.hit[rows]),
    ):
        by_cell[f"again {name}"] = there
        for what, values in (("velocity", velocity), ("offset", offset)):
            by_cell[f"{what} {name}"] = there * np.abs(values - values[row, lanes])
    return {name: quantity @ _VOICE_OF_LANE for name, quantity in by_cell.items()}


def _shared_style(q: dict[str, np.ndarray]) -> np.ndarray:
    cells, steps, active = q["cells"], q["steps"], q["active"]
    loudness = _ratio(q["velocity"], cells)
    overlaps = [f"{lag} steps" for lag in OVERLAP_STEPS] + [f"{bars} bars" for bars in OVERLAP_BARS]
    accents = (
        np.where(q[place] > 0, _ratio(q[f"velocity {place}"], q[place]) - loudness, 0)
        for place in ("on beat", "between")
    )
    numbers = [
        _ratio(cells, steps),
        loudness,
        _ratio(active, steps),
        _ratio(q["pairs"], active),
        _ratio(q["threes"], active),
        *accents,
        _ratio(q["offset on eighth"], q["on eighth"]),
        _ratio(q["offset between"], q["between"]),
        *(_ratio(q[name], cells) for name in ("second", "ceiling", "ghosts", "loud")),
        *(_ratio(q[name], cells) for name in ("on grid", "far", "on beat")),
        _ratio(q["apart"], active),
        *(_ratio(q[f"both {name}"], q[f"either {name}"]) for name in overlaps),
        *(_correlation(q, name) for name in ("offset", "velocity")),
    ]
    return np.stack(numbers, axis=1)


def _correlation(q: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Of a stroke with the next one; 0 where too few strokes or none that differ."""
    count = q["neighbours"]
    x, y = _ratio(q[f"{name} x"], count), _ratio(q[f"{name} y"], count)
    xx, yy = _ratio(q[f"{name} xx"], count) - x * x, _ratio(q[f"{name} yy"], count) - y * y
    both = _ratio(q[f"{name} xy"], count) - x * y
    spread = np.sqrt(np.maximum(xx, 0) * np.maximum(yy, 0))
    return np.where((count > 2.5) & (spread > 1e-6), both / np.maximum(spread, 1e-6), 0)


def _voice_style(q: dict[str, np.ndarray], steps: np.ndarray) -> list[np.ndarray]:
    count = q["count"]
    mean_v, mean_o = _ratio(q["velocity"], count), _ratio(q["offset"], count)
    spread_v = np.sqrt(np.maximum(_ratio(q["velocity 2"], count) - mean_v**2, 0))
    spread_o = np.sqrt(np.maximum(_ratio(q["offset 2"], count) - mean_o**2, 0))
    numbers = [
        np.sqrt(_ratio(count, steps[:, None])),
        mean_v,
        spread_v,
        mean_o,
        spread_o,
        _ratio(q["ceiling"], count),
    ]
    for phase in PHASES:
        here = q[phase]
        numbers.append(_ratio(here, count))
        for what, mean in (("velocity", mean_v), ("offset", mean_o)):
            there = _ratio(q[f"{what} {phase}"], here) - mean
            numbers.append(np.where(here > 0.5, there, 0))
    for name in ("step", "bar"):
        again = q[f"again {name}"]
        numbers += [_ratio(q[f"{what} {name}"], again) for what in ("velocity", "offset")]
    return numbers


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = np.broadcast_to(whole, part.shape)
    ratio: np.ndarray = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0.5)
    return ratio
