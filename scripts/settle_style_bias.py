"""Measure a groove model's biases: ``python -m scripts.settle_style_bias FOLDER``."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

from dj_core.models.groove.groove_checkpoint import load_groove_model
from dj_core.models.groove.placement_bias import settle_placement_bias
from dj_core.models.groove.style_bias import TAKES, settle_style_bias
from dj_core.models.groove.style_vector import SHARED_NAMES


def main() -> None:
    """Measure and store both of a model folder."""
    parser = argparse.ArgumentParser(prog="python -m scripts.settle_style_bias")
    parser.add_argument("model", type=Path, help="folder of a groove model")
    parser.add_argument("--takes", type=int, default=TAKES)
    given = parser.parse_args()
    for _ in chain(settle_style_bias(given.model, given.takes), settle_placement_bias(given.model)):
        pass
    bias = load_groove_model(given.model).tables.bias
    for name, amount in zip(SHARED_NAMES, bias, strict=False):
        print(f"{name:24s} {amount:+.3f}")


if __name__ == "__main__":
    main()
