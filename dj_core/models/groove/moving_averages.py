"""Moving averages of velocity and timing per lane, an input of the groove network.

A drummer's level and place against the beat wander slowly. From these sums a network reads how
hard and how early each drum has been struck lately, instead of piecing it together stroke by
stroke.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dj_core.models.groove.groove_shape import HALF_LIVES, QUANTITIES
from dj_core.music.step_grid import CEILING_BIN, LANES, MAX_OFFSET

_DECAYS = torch.tensor([0.5 ** (1 / half_life) for half_life in HALF_LIVES])
_DOUBT = 0.1  # strokes' worth of silence mixed into a mean, so that a faded one says nothing


def nothing_recent(streams: int) -> Tensor:
    """The sums (streams, half-lives, 16, quantities) of streams that have played nothing."""
    return torch.zeros(streams, len(HALF_LIVES), LANES, QUANTITIES)


def quantities(velocity: Tensor, offset: Tensor) -> Tensor:
    """What cells (..., 16) of tokens as in `Grid` add to the sums, (..., 16, quantities)."""
    struck = (velocity > 0).float()
    level = struck * (velocity.float() - 1) / CEILING_BIN
    place = struck * (offset.float() - 1 - MAX_OFFSET) / MAX_OFFSET
    return torch.stack([struck, level, level**2, place, place**2], dim=-1)


def run_on(sums: Tensor, played: Tensor) -> tuple[Tensor, Tensor]:
    """The sums before each step, and after the last.

    Args:
        sums: those before the first step, (streams, half-lives, 16, quantities).
        played: `quantities` of the steps, (steps, streams, 16, quantities).

    Returns:
        (steps, streams, half-lives, 16, quantities), and the sums to go on with.
    """
    steps = len(played)
    age = torch.arange(steps + 1)[:, None] - 1 - torch.arange(steps)  # of step i seen from step t
    powers = _DECAYS[:, None, None] ** age.clamp(min=0)
    powers = torch.where(age >= 0, powers, torch.zeros(()))
    added = torch.einsum("hti,isq->tshq", powers, played.flatten(2)).unflatten(3, (LANES, -1))
    faded = _DECAYS ** torch.arange(steps + 1)[:, None]
    before = added + faded[:, None, :, None, None] * sums
    return before[:-1], before[-1]


def fade(sums: Tensor, played: Tensor) -> Tensor:
    """The sums after one step: `run_on` for a step at a time. `played` is (streams, 16, ...)."""
    return _DECAYS[:, None, None] * sums + played[:, None]


def recent_of(sums: Tensor, lane: Tensor) -> Tensor:
    """What a stroke's head reads, (n, `RECENT`).

    Args:
        sums: before the stroke's step, (n, half-lives, 16, quantities).
        lane: the stroke's lane, (n,).
    """
    count, level, level_2, place, place_2 = sums.unbind(-1)
    weight = 1 / (count + _DOUBT)
    mean_level, mean_place = level * weight, place * weight
    spread_level = (level_2 * weight - mean_level**2).clamp(min=1e-6).sqrt()
    spread_place = (place_2 * weight - mean_place**2).clamp(min=1e-6).sqrt()
    known = count * weight
    own = torch.stack([known, mean_level, spread_level, mean_place, spread_place], dim=-1)
    own = own[torch.arange(len(lane)), :, lane].flatten(1)
    return torch.cat([own, known[:, 0], mean_place.flatten(1), mean_level[:, -1]], dim=-1)
