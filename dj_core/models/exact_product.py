"""Products that come out alike in any order of their sums, so on every machine and in any company.

A product of floats depends on the order of its sums, and that on the processor, the library, the
number of rows and of threads; but a beat must depend on its seed and settings alone. So inputs and
weights are rounded to multiples of 2^-20 and 2^-22, which is less than a network notices. Their
products are multiples of 2^-42, and sums of those below 2^11 fit a double's 53 bits: nothing is
rounded on the way, and every order gives the same answer.

`WholeProduct` does the same in 32-bit floats, whose 24 bits leave less to either side: half the
memory to read, which is what products of a single row wait for.
"""

from __future__ import annotations

from typing import cast

import numpy as np

_INPUT_GRID, _WEIGHT_GRID = 2.0**20, 2.0**22
_WHOLE_NUMBERS, _INPUT_STEPS = 2**24, 256  # that 32-bit floats hold; of an input to its largest
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


class WholeProduct:
    """`rows @ weight.T` of rows that stay within bounds, in 32-bit floats; a row depends on itself.

    Inputs and weights become whole numbers, so coarse that no sum can leave 24 bits: inputs in 256
    steps to the largest, and each output's weights as fine as their sum allows, about ten bits.
    """

    def __init__(self, weight: np.ndarray, largest: float = 1.0) -> None:
        """Keep `weight` (out, in) for inputs of -`largest` to `largest`."""
        self._steps = np.float32(_INPUT_STEPS / largest)
        # rounding may add half a step to every weight
        most = _WHOLE_NUMBERS / _INPUT_STEPS - weight.shape[1] / 2
        sums = np.maximum(np.abs(weight).sum(axis=1, dtype=np.float64), 1e-6)
        fine = 2.0 ** np.floor(np.log2(most / sums))
        self._weight = np.ascontiguousarray(np.rint(weight * fine[:, None]).T, np.float32)
        self._unit = (1 / (fine * self._steps)).astype(np.float32)

    def __call__(self, *parts: np.ndarray) -> np.ndarray:
        """Answers (n, out) to rows (n, in) that the parts make up side by side."""
        given = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return self._of(given, self._weight)

    def of_few(self, rows: np.ndarray) -> np.ndarray:
        """The same for rows of which most columns are zeros, which are left out."""
        read = np.flatnonzero(rows if len(rows) == 1 else rows.any(axis=0))
        return self._of(rows.take(read, axis=1), self._weight.take(read, axis=0))

    def _of(self, given: np.ndarray, weight: np.ndarray) -> np.ndarray:
        rows = given * self._steps
        np.rint(rows, out=rows)
        answers = _products(rows, weight)
        answers *= self._unit
        return answers


def _exact(given: np.ndarray, weight: np.ndarray) -> np.ndarray:
    rows = np.multiply(given, _INPUT_GRID, dtype=np.float64)
    np.rint(rows, out=rows)
    return _products(rows, weight)


def _products(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    answers = np.empty((len(rows), weight.shape[1]), weight.dtype)
    if 1 < len(rows) <= _MOST_BY_ROWS:
        for row, answer in zip(rows, answers, strict=True):
            np.dot(row, weight, out=answer)
    else:
        np.matmul(rows, weight, out=answers)
    return answers
