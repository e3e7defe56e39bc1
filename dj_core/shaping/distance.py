"""The distance of two beats: the least cost of turning one into the other.

A stroke can be added or taken away, which costs half plus half its velocity; or moved and made
louder or softer, which costs its way and its change. The cheapest way to do all of it is the
distance, a metric (zero for equal beats only, symmetric, no detour is shorter), as Victor and
Purpura defined it for nerve impulses (Network 8:127, 1997). A stroke counts 0.5 (soft) to 1 (loud).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dj_core.music.beat import Beat, Hit

PRESENCE = 0.5  # cost of a stroke's being there at all
LOUDNESS = 0.5 / 127  # cost of a unit of velocity
WAY = 2.0  # cost of a quarter note: moving by half a quarter is as dear as adding a loud stroke


@dataclass(frozen=True)
class Matching:
    """What the cheapest way does with every stroke.

    Attributes:
        moved: (stroke before, stroke after).
        removed, added: strokes without a partner.
        cost: of it all.
    """

    moved: tuple[tuple[Hit, Hit], ...]
    removed: tuple[Hit, ...]
    added: tuple[Hit, ...]
    cost: float


def distance(a: Beat, b: Beat) -> float:
    """Work to turn `a` into `b`, in loud strokes; meter, tempo and titles are not heard."""
    return match(a, b).cost


def relative_distance(a: Beat, b: Beat) -> float:
    """The distance as a share of playing both beats from nothing: 0 the same, 1 nothing alike."""
    whole = sum(_presence(hit) for beat in (a, b) for hit in beat.hits)
    return distance(a, b) / whole if whole else 0.0


def match(a: Beat, b: Beat) -> Matching:
    """The cheapest way from `a` to `b`."""
    parts = [_match_lane(a, b, lane) for lane in sorted({*a.lanes, *b.lanes})]
    return Matching(
        moved=tuple(pair for part in parts for pair in part.moved),
        removed=tuple(hit for part in parts for hit in part.removed),
        added=tuple(hit for part in parts for hit in part.added),
        cost=sum(part.cost for part in parts),
    )


def _presence(hit: Hit) -> float:
    return PRESENCE + LOUDNESS * hit.velocity


def _match_lane(a: Beat, b: Beat, lane: int) -> Matching:
    """Strokes further apart than a removal and an addition cost fall into clusters of their own."""
    one = [hit for hit in a.hits if hit.lane == lane]
    other = [hit for hit in b.hits if hit.lane == lane]
    parts = [_match_cluster(*cluster) for cluster in _clusters(one, other)]
    return Matching(
        moved=tuple(pair for part in parts for pair in part.moved),
        removed=tuple(hit for part in parts for hit in part.removed),
        added=tuple(hit for part in parts for hit in part.added),
        cost=sum(part.cost for part in parts),
    )


def _clusters(one: Sequence[Hit], other: Sequence[Hit]) -> list[tuple[list[Hit], list[Hit]]]:
    """Strokes in groups between which none can be worth moving."""
    reach = 2 * _presence(Hit(0.0, 0, 127)) / WAY
    tagged = sorted(
        [(hit.onset_quarters, 0, hit) for hit in one]
        + [(hit.onset_quarters, 1, hit) for hit in other],
        key=lambda item: item[:2],
    )
    clusters: list[tuple[list[Hit], list[Hit]]] = []
    latest = -np.inf
    for onset, side, hit in tagged:
        if onset - latest > reach:
            clusters.append(([], []))
        clusters[-1][side].append(hit)
        latest = onset
    return clusters


def _match_cluster(one: list[Hit], other: list[Hit]) -> Matching:
    from scipy.optimize import linear_sum_assignment

    gone = np.array([_presence(hit) for hit in one])
    new = np.array([_presence(hit) for hit in other])
    way = WAY * np.abs(_onsets(one)[:, None] - _onsets(other)[None])
    change = LOUDNESS * np.abs(_velocities(one)[:, None] - _velocities(other)[None])
    apart = gone[:, None] + new[None]
    saved = np.minimum(way + change - apart, 0.0)
    rows, columns = linear_sum_assignment(saved) if saved.size else ((), ())
    pairs = [(i, j) for i, j in zip(rows, columns, strict=True) if saved[i, j] < 0]
    kept, met = {i for i, _ in pairs}, {j for _, j in pairs}
    return Matching(
        moved=tuple((one[i], other[j]) for i, j in pairs),
        removed=tuple(hit for i, hit in enumerate(one) if i not in kept),
        added=tuple(hit for j, hit in enumerate(other) if j not in met),
        cost=float(gone.sum() + new.sum() + sum(saved[i, j] for i, j in pairs)),
    )


def _onsets(hits: Sequence[Hit]) -> np.ndarray:
    return np.array([hit.onset_quarters for hit in hits])


def _velocities(hits: Sequence[Hit]) -> np.ndarray:
    return np.array([hit.velocity for hit in hits], float)
