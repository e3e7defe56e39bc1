"""Train a groove model from the DJ's own corpora: ``python -m dj_core.groove --run NAME``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dj_core.corpus import Corpus
from dj_core.errors import DigitalDJError
from dj_core.groove.training import GROOVE_PRESETS, groove_settings_from, train_groove


def main(arguments: list[str] | None = None) -> int:
    """Train and print a line per epoch; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dj_core.groove", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--corpus", type=Path, action="append", default=[], help="folder of an imported corpus"
    )
    parser.add_argument("--preset", default="groove", choices=GROOVE_PRESETS)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    given = parser.parse_args(arguments)
    try:
        settings = groove_settings_from(
            given.preset, epochs=given.epochs, seed=given.seed, threads=given.threads
        )
        corpora = [Corpus(folder) for folder in given.corpus]
        for step in train_groove(settings, corpora, given.run, resume=given.resume):
            if step.ends_epoch:
                print(
                    f"epoch {step.epoch}/{step.epochs}  train {step.train_loss:.4f}  validation "
                    f"{step.validation_loss:.4f} nats a 16th  {step.seconds / 60:.1f} min",
                    flush=True,
                )
    except DigitalDJError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
