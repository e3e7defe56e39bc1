"""Tighten: partial quantisation of timing and, as an option, of velocity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dj_core.errors import BeatError
from dj_core.music.beat import Beat

GRIDS: dict[str, tuple[float, ...]] = {
    "16ths": (0.25,),
    "8ths": (0.5,),
    "triplets": (1 / 3, 1 / 6),
    "16ths and triplets": (0.25, 1 / 6),
}
"""Names and the distances, in quarters, between the places a stroke may go to."""


def tighten(beat: Beat, amount: float = 1.0, *, grid: str = "16ths", levels: float = 0.0) -> Beat:
    """`beat` with every stroke nearer to its place on the grid.

    Args:
        beat: any meter.
        amount: 0 (as it is) to 1 (on the grid).
        grid: a name of `GRIDS`.
        levels: 0 (as they are) to 1 (every drum always at its own mean velocity).

    Raises:
        BeatError: an amount beyond 0 to 1, or no such grid.
    """
    if not (0 <= amount <= 1 and 0 <= levels <= 1):
        raise BeatError(f"Tighten by 0 to 1; got {amount:g}, levels {levels:g}.")
    if grid not in GRIDS:
        raise BeatError(f"A grid is one of {', '.join(GRIDS)}; got {grid!r}.")
    means = {
        lane: np.mean([hit.velocity for hit in beat.hits if hit.lane == lane])
        for lane in beat.lanes
    }
    hits = []
    for hit in beat.hits:
        wanted = min(
            (round(hit.onset_quarters / step) * step for step in GRIDS[grid]),
            key=lambda place: abs(place - hit.onset_quarters),
        )
        if wanted >= beat.length_quarters:
            wanted = hit.onset_quarters  # it leads into what follows; there is no grid line here
        onset = hit.onset_quarters + amount * (wanted - hit.onset_quarters)
        level = hit.velocity + levels * (means[hit.lane] - hit.velocity)
        hits.append(replace(hit, onset_quarters=onset, velocity=round(level)))
    settings = {"shape": "tighten", "amount": amount, "grid": grid, "levels": levels}
    origin = replace(beat.provenance, settings=settings)
    return replace(beat, hits=tuple(hits), provenance=origin)
