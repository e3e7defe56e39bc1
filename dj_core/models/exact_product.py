"""Products that come out alike in any order of their sums, so on every machine and in any company.

A product of floats depends on the order of its sums, and that on the processor, the library, the
number of rows and of threads; but a beat must depend on its seed and settings alone. So inputs and
weights are rounded to multiples of 2^-20 and 2^-22, which is less than a network notices. Their
products are multiples of 2^-42, and sums of those below 2^11 fit a double's 53 bits: nothing is
rounded on the way, and every order gives the same answer.
"""

from __future__ import annotations

from typing import cast

import numpy as np

_INPUT_GRID, _WEIGHT_GRID = 2.0**20, 2.0**22
_MOST_BY_ROWS = 4  # rows that are quicker one by one: BLAS arranges the weights anew for several


def on_grid(values: np.ndarray, grid: float) -> np.ndarray:
    """`values` as doubles, rounded to multiples of 1 / `grid`."""
    rounded = np.rint(np.multiply(values, grid, dtype=np.float64))
    rounded /= grid
    return cast("np.ndarray", rounded)


class ExactProduct:
    """`rows @ weight.T`; a row's answer depends on that row alone."""

    def __init__(self, weight: np.ndarray) -> None:
        """Keep `weight` (out, in)."""
        self.width = weight.shape[1]
        # a power of two goes from the inputs into the weights: whole numbers are multiplied
        self._weight = np.ascontiguousarray(on_grid(weight, _WEIGHT_GRID).T / _INPUT_GRID)

    def __call__(self, *parts: np.ndarray) -> np.ndarray:
        """Answers (n, out) as 32-bit floats to rows (n, in) that the parts make up side by side."""
        return self.sums(*parts).astype(np.float32)

    def sums(self, *parts: np.ndarray) -> np.ndarray:
        """The same as doubles, still exact: to be added up before they are rounded."""
        given = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return _exact(given, self._weight)

    def sums_of_few(self, rows: np.ndarray) -> np.ndarray:
        """`sums` of rows of which most columns are zeros, which are left out."""
        read = np.flatnonzero(rows.any(axis=0))
        return _exact(rows.take(read, axis=1), self._weight.take(read, axis=0))


def _exact(given: np.ndarray, weight: np.ndarray) -> np.ndarray:
    rows = np.multiply(given, _INPUT_GRID, dtype=np.float64)
    np.rint(rows, out=rows)
    answers = np.empty((len(rows), weight.shape[1]))
    if 1 < len(rows) <= _MOST_BY_ROWS:
        for row, answer in zip(rows, answers, strict=True):
            np.dot(row, weight, out=answer)
    else:
        np.matmul(rows, weight, out=answers)
    return answers
