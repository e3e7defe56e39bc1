"""Train or measure a humaniser: ``python -m dj_core.humanizer``; see docs/shaping.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dj_core.corpus import Corpus
from dj_core.errors import DigitalDJError


def main() -> int:
    """Run one verb; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dj_core.humanizer")
    verbs = parser.add_subparsers(required=True, dest="verb")
    train = verbs.add_parser("train", help="train on the training split of a corpus")
    train.add_argument("--corpus", type=Path, required=True, help="an imported corpus's folder")
    train.add_argument("--run", type=Path, required=True, help="the run's folder")
    train.add_argument("--steps", type=int)
    train.add_argument("--seed", type=int)
    train.add_argument("--resume", action="store_true")
    measure = verbs.add_parser("measure", help="measure on the validation split")
    measure.add_argument("--corpus", type=Path, required=True)
    measure.add_argument("--model", type=Path, required=True, help="a model folder")
    measure.add_argument("--seed", type=int, default=1)
    measure.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    try:
        return {"train": _train, "measure": _measure}[options.verb](options)
    except DigitalDJError as error:
        print(f"humanizer: {error}", file=sys.stderr)
        return 1


def _train(options: argparse.Namespace) -> int:
    from dj_core.humanizer.training import HumanizerTraining, read_training, train_humanizer

    if options.resume:
        settings = read_training(options.run)
    else:
        given = {"steps": options.steps, "seed": options.seed}
        settings = HumanizerTraining(**{k: v for k, v in given.items() if v is not None})
    corpus = Corpus(options.corpus)
    for step in train_humanizer(settings, corpus, options.run, resume=options.resume):
        train, validation = (" ".join(f"{x:.3f}" for x in part)
                             for part in (step.train, step.validation))  # fmt: skip
        print(
            f"{step.step}/{step.steps} train {train} | validation {validation}"
            f"{' best' if step.best else ''} | {step.seconds:.0f} s",
            flush=True,
        )
    return 0


def _measure(options: argparse.Namespace) -> int:
    from dj_core.humanizer.measure import measure_humanizer
    from dj_core.storage import write_json_atomic

    figures = measure_humanizer(Corpus(options.corpus), options.model, seed=options.seed)
    if options.out:
        write_json_atomic(options.out, figures)
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
