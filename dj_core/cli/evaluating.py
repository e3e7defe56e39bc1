"""The verb evaluate."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.cli.verb import (
    Answer,
    ProgressBar,
    Verbs,
    add_verb,
    add_workers,
    positive,
    say,
    workers,
)
from dj_core.library.library import Library, ModelInfo

if TYPE_CHECKING:
    from dj_core.evaluation.references import Reference

PERCENT = 100


def add_evaluate(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "evaluate", "examine a model beside real drummers", _run_evaluate)
    verb.add_argument("--model", help="a model by name (default: the shipped one)")
    against = verb.add_mutually_exclusive_group(required=True)
    against.add_argument("--reference", type=Path, help="a folder of drum MIDI files, or a zip")
    against.add_argument("--corpus", action="append", help="an imported corpus; may be repeated")
    verb.add_argument(
        "--split", choices=["validation", "test"], default="validation", help="what is held out"
    )
    verb.add_argument("--clips", type=positive, default=400, help="beats of 4 bars per seed")
    verb.add_argument("--seeds", type=_seeds, default=(1, 2, 3), help="as in 1,2,3")
    verb.add_argument("--out", type=Path, help="folder for a page with plots, and all figures")
    add_workers(verb)


def _seeds(text: str) -> tuple[int, ...]:
    """The value of ``--seeds``: different whole numbers with commas between them."""
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"different whole numbers as in 1,2,3; got {text!r}")
    return tuple(map(int, parts))


def _run_evaluate(options: argparse.Namespace) -> Answer:
    from dj_core.evaluation.examination import Away, examine, write_results
    from dj_core.models.families import load_model

    started = time.perf_counter()
    library = Library.open()
    info = library.model(options.model)
    model = load_model(info.folder)
    with (
        workers(options) as executor,
        _reference(options, library, info) as reference,
        ProgressBar("Examining", "%") as bar,
    ):
        results = examine(
            model,
            reference,
            clips=options.clips,
            seeds=options.seeds,
            progress=lambda words, share: bar.show(int(share * PERCENT), PERCENT, words),
            away=Away(executor, info.folder) if executor else None,
        )
        bar.show(PERCENT, PERCENT)
    figures = results["figures"]
    for name, value in figures.items():
        if value is not None:
            say(f"{name:36} {value:9.3f}")
    title = f"{info.label}: an examination"
    page = options.out and write_results(results, options.out, title, _command(options, info))
    return {
        "model": model.name,
        "model_sha256": info.card["weights_sha256"],
        "family": model.family,
        "reference": results["ground"],
        "clips": options.clips,
        "seeds": list(options.seeds),
        **figures,
        "asked_as_any": results["asked_as_any"],
        "report": str(page) if page else None,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _command(options: argparse.Namespace, model: ModelInfo) -> str:
    """What to type for the same figures."""
    against = [("--corpus", name) for name in options.corpus or ()]
    against = against or [("--reference", str(options.reference))]
    pairs = [
        ("--model", model.name),
        *against,
        ("--split", options.split),
        ("--clips", str(options.clips)),
        ("--seeds", ",".join(map(str, options.seeds))),
    ]
    return shlex.join(["python", "-m", "dj_core", "evaluate", *(part for p in pairs for part in p)])


@contextmanager
def _reference(
    options: argparse.Namespace, library: Library, model: ModelInfo
) -> Iterator[Reference]:
    """What the model is examined on; a folder is imported for as long as that takes."""
    from dj_core.evaluation.references import reference_of_corpora, reference_of_folder

    if options.corpus:
        corpora = [library.corpus(name) for name in options.corpus]
        yield reference_of_corpora(corpora, options.split)
        return
    learned = model.card["corpora"]
    own = [corpus for corpus in library.corpora() if corpus.name in learned]
    with (
        ProgressBar("Reading", "file") as bar,
        reference_of_folder(options.reference, options.split, own, bar.show) as reference,
    ):
        yield reference
