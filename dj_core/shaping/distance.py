"""The distance of two beats: the least cost of turning one into the other.

A stroke can be added or taken away, which costs half plus half its velocity; or moved and made
louder or softer, which costs its way and its change. The cheapest way to do all of it is the
distance, a metric (zero for equal beats only, symmetric, no detour is shorter), as Victor and
Purpura defined it for nerve impulses (Network 8:127, 1997). A stroke counts 0.5 (soft) to 1 (loud).
"""

from __future__ import annotations

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
    from scipy.optimize import linear_sum_assignment

    moved: list[tuple[Hit, Hit]] = []
    removed: list[Hit] = []
    added: list[Hit] = []
    cost = 0.0
    for one, other in _clusters(a, b):
        was, is_ = (
            np.array([(hit.onset_quarters, hit.velocity) for hit in hits]).reshape(-1, 2)
            for hits in (one, other)
        )
        gone, new = (PRESENCE + LOUDNESS * side[:, 1] for side in (was, is_))
        way, change = np.moveaxis(np.abs(was[:, None] - is_[None]), -1, 0)
        saved = np.minimum(WAY * way + LOUDNESS * change - (gone[:, None] + new[None]), 0.0)
        rows, columns = linear_sum_assignment(saved) if saved.size else ((), ())
        pairs = {i: j for i, j in zip(rows, columns, strict=True) if saved[i, j] < 0}
        met = set(pairs.values())
        moved += [(one[i], other[j]) for i, j in pairs.items()]
        removed += [hit for i, hit in enumerate(one) if i not in pairs]
        added += [hit for j, hit in enumerate(other) if j not in met]
        cost += float(gone.sum() + new.sum() + sum(saved[i, j] for i, j in pairs.items()))
    return Matching(tuple(moved), tuple(removed), tuple(added), cost)


def _presence(hit: Hit) -> float:
    return PRESENCE + LOUDNESS * hit.velocity


def _clusters(a: Beat, b: Beat) -> list[tuple[list[Hit], list[Hit]]]:
    """Strokes of both beats in groups between which none can be worth moving.

    They are of one drum each, and strokes further apart than a removal and an addition cost are
    in groups of their own.
    """
    reach = 2 * _presence(Hit(0.0, 0, 127)) / WAY
    clusters: list[tuple[list[Hit], list[Hit]]] = []
    for lane in sorted({*a.lanes, *b.lanes}):
        tagged = [(hit, side) for side in (0, 1) for hit in (a, b)[side].hits if hit.lane == lane]
        latest = -np.inf
        for hit, side in sorted(tagged, key=lambda item: (item[0].onset_quarters, item[1])):
            if hit.onset_quarters - latest > reach:
                clusters.append(([], []))
            clusters[-1][side].append(hit)
            latest = hit.onset_quarters
    return clusters
