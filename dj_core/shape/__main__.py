"""Measure shaping: ``python -m dj_core.shape locks --corpus FOLDER``; see docs/shaping.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dj_core.corpus import Corpus
from dj_core.errors import DigitalDJError
from dj_core.sampling import load_model
from dj_core.shape import measure
from dj_core.storage import write_json_atomic

MEASURES = {
    "locks": measure.measure_locks,
    "morphs": measure.measure_morphs,
    "fills": measure.measure_fills,
    "joins": measure.measure_joins,
    "norms": measure.measure_norms,
    "controls": measure.measure_controls,
}
SHIPPED = Path(__file__).resolve().parents[2] / "models" / "groove"


def main() -> int:
    """Measure one thing; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dj_core.shape")
    parser.add_argument("what", choices=sorted(MEASURES))
    parser.add_argument("--corpus", type=Path, required=True, help="an imported corpus's folder")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="a groove model's folder")
    parser.add_argument("--count", type=int, help="how many beats")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    try:
        material = measure.Material(load_model(options.model), Corpus(options.corpus), options.seed)
        more = {} if options.count is None else {"count": options.count}
        figures = MEASURES[options.what](material, **more)
        if options.out:
            write_json_atomic(options.out, figures)
    except DigitalDJError as error:
        print(f"shape: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
