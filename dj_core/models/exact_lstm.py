"""One layer of an LSTM for playing, step by step, in numpy; see `exact_product`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dj_core.models.exact_product import ExactProduct

GATES = 4  # of an LSTM: input, forget, cell, output
_CELL_GATE = 2


def halved(hidden: int) -> np.ndarray:
    """What gates of so many units are multiplied by.

    Half the argument and tanh instead of a sigmoid: one call for all four gates.
    """
    half = np.full((GATES, hidden), 0.5, np.float32)
    half[_CELL_GATE] = 1.0
    return half.ravel()


def after_gates(gates: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden and cell values (rows, units) after halved gates (rows, 4 × units), overwritten."""
    np.tanh(gates, out=gates)
    units = cell.shape[1]
    enter, forget, fresh, leave = (gates[:, at * units : (at + 1) * units] for at in range(GATES))
    # 2 sigmoid(x) = 1 + tanh(x / 2)
    enter += 1
    enter *= fresh
    forget += 1
    after = forget * cell
    after += enter
    after *= 0.5
    leave += 1
    leave *= np.tanh(after)
    return leave * np.float32(0.5), after


class ExactLstm:
    """A layer as torch's `nn.LSTM` names its weights."""

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, layer: str = "l0") -> None:
        below, before, bias, more_bias = (
            weights[f"{name}.{kind}_{layer}"]
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        self.units = before.shape[1]
        half = halved(self.units)
        self._product = ExactProduct(np.concatenate([below, before], axis=1) * half[:, None])
        self._bias = (bias + more_bias) * half

    def silent(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Hidden and cell values before anything was read."""
        nothing = np.zeros((rows, self.units), np.float32)
        return nothing, nothing

    def step(
        self, state: tuple[np.ndarray, np.ndarray], *below: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Hidden and cell values after reading rows that the parts `below` make up side by side."""
        hidden, cell = state
        return after_gates(self._product(*below, hidden) + self._bias, cell)
