"""Sampling from the groove network's odds: temperature, top-p and the random draws.

All that can be known before a take begins is worked out then; what is left happens hundreds of
times in every take.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

COLD = 1e-6  # temperatures below take the likeliest


class Heat:
    """How boldly one part of the music is played, take by take."""

    def __init__(self, temperature: np.ndarray, top_p: np.ndarray) -> None:
        """Keep the temperature and the nucleus, 0 to 1, of each row; arrays (rows,).

        `divisor` is what logits are divided by: the temperature, or 1 where it is cold.
        """
        self.temperature, self.top_p = temperature, top_p
        self._cold = temperature < COLD
        self._all_warm = not self._cold.any()
        self._as_learned = bool((temperature == 1).all())
        self._whole = bool((top_p >= 1).all())
        self.divisor = np.where(self._cold, 1.0, temperature)
        with np.errstate(divide="ignore"):
            certain = self.divisor * _logit(np.minimum(top_p, 1.0))
        self._certain = np.where(self._cold, 0.0, np.maximum(certain, 0.0))

    def demands(self, draws: np.ndarray) -> np.ndarray:
        """What a logit has to exceed to win a coin of these draws (rows, ...), 0 up to 1.

        A coin falls on yes where draw < 1 / (1 + exp(-logit / temperature)); the same, solved for
        the logit. When cold, or where the likelier fills the nucleus, the likelier wins.
        """
        shape = (-1, *[1] * (draws.ndim - 1))
        certain = self._certain.reshape(shape)
        with np.errstate(divide="ignore"):
            wanted = _logit(draws) * self.divisor.reshape(shape)
        return np.clip(wanted, -certain, certain, out=wanted)

    def choose(self, logits: np.ndarray, draws: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """An index per logits (n, choices) by their odds, from the likeliest that reach top-p.

        Args:
            logits: (n, choices).
            draws: 0 up to 1, (n,).
            rows: whose they are, (n,).
        """
        if len(rows) == 1 and self._all_warm:
            return self._choose_one(logits[0], draws[0], rows[0])
        scaled = logits if self._as_learned else logits / self.divisor[rows, None]
        chances = np.exp(scaled - scaled.max(1, keepdims=True))
        if not self._whole:
            ordered = np.sort(chances, axis=1)
            reached = ordered.cumsum(axis=1, dtype=np.float64)
            # what all likelier ones leave to top-p is what these and all unlikelier ones have
            left_out = (1 - self.top_p[rows]) * reached[:, -1]
            cut = (reached[:, :-1] <= left_out[:, None]).sum(1)  # at least one is kept
            least = ordered[np.arange(len(ordered)), cut]
            chances *= chances >= least[:, None]
        reached = chances.cumsum(axis=1, dtype=np.float64)
        drawn: np.ndarray = (reached <= (draws * reached[:, -1])[:, None]).sum(1)
        drawn = np.minimum(drawn, logits.shape[1] - 1)
        return drawn if self._all_warm else np.where(self._cold[rows], logits.argmax(1), drawn)

    def _choose_one(self, logits: np.ndarray, draw: float, row: int) -> np.ndarray:
        """`choose` for a single stroke, in fewer steps."""
        scaled = logits if self._as_learned else logits / self.divisor[row]
        # a list of so few numbers is quicker than an array
        chances = np.exp(scaled - scaled.max()).tolist()
        if not self._whole:
            ordered = sorted(chances)
            reached = list(accumulate(ordered))
            left_out = (1 - float(self.top_p[row])) * reached[-1]
            least = ordered[bisect_right(reached, left_out, hi=len(reached) - 1)]
            chances = [chance if chance >= least else 0.0 for chance in chances]
        reached = list(accumulate(chances))
        drawn = bisect_right(reached, float(draw) * reached[-1])
        return np.array([min(drawn, len(chances) - 1)])


def _logit(chances: np.ndarray) -> np.ndarray:
    logits: np.ndarray = np.log(chances) - np.log1p(-chances)
    return logits
