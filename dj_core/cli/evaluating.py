"""The verb evaluate."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.cli.verb import (
    WORKERS,
    Answer,
    ProgressBar,
    one_of,
    option,
    positive,
    say,
    verb,
    workers,
)
from dj_core.evaluation.floor import FLOOR_FIRST_SEED, FLOOR_TAKES
from dj_core.library.library import Library, ModelInfo
from dj_core.music.genres import genre_name

if TYPE_CHECKING:
    from dj_core.evaluation.references import Reference

PERCENT = 100


def _seeds(text: str) -> tuple[int, ...]:
    """The value of ``--seeds``: different whole numbers with commas between them."""
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"different whole numbers as in 1,2,3; got {text!r}")
    return tuple(map(int, parts))


@verb(
    "evaluate",
    option("--model", help="a model by name (default: the shipped one)"),
    one_of(
        option("--reference", type=Path, help="a folder of drum MIDI files, or a zip"),
        option("--corpus", action="append", help="an imported corpus; may be repeated"),
        option(
            "--floor",
            action="store_true",
            help="examine the dance styles beside written phrases that nothing was learned from",
        ),
        required=True,
    ),
    option("--takes", type=positive, default=FLOOR_TAKES, help="with --floor: takes of each style"),
    option(
        "--first-seed", type=int, default=FLOOR_FIRST_SEED, help="with --floor: of the first take"
    ),
    option("--style", action="append", default=[], help="with --floor: one style; may be repeated"),
    option(
        "--split", choices=["validation", "test"], default="validation", help="what is held out"
    ),
    option("--clips", type=positive, default=400, help="beats of 4 bars per seed"),
    option("--seeds", type=_seeds, default=(1, 2, 3), help="as in 1,2,3"),
    option("--out", type=Path, help="folder for a page with plots, and all figures"),
    WORKERS,
)
def evaluate(options: argparse.Namespace) -> Answer:
    """Examine a model beside real drummers."""
    if options.floor:
        return _floor(options)
    from dj_core.evaluation.examination import Away, examine, write_results
    from dj_core.models.families import load_model

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
    against = [("--corpus", name) for name in options.corpus or ()]
    pairs = [
        ("--model", info.name),
        *(against or [("--reference", str(options.reference))]),
        ("--split", options.split),
        ("--clips", str(options.clips)),
        ("--seeds", ",".join(map(str, options.seeds))),
    ]
    # what to type for the same figures
    command = ["python", "-m", "dj_core", "evaluate", *(part for pair in pairs for part in pair)]
    page = options.out and write_results(results, options.out, title, shlex.join(command))
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
    }


def _floor(options: argparse.Namespace) -> Answer:
    from dj_core.evaluation.floor import examine_floor
    from dj_core.files.storage import write_bytes_atomic
    from dj_core.models.families import load_model

    info = Library.open().model(options.model)
    model = load_model(info.folder)
    with ProgressBar("Examining", "%") as bar:
        results = examine_floor(
            model,
            takes=options.takes,
            first_seed=options.first_seed,
            styles=[genre_name(name) for name in options.style],
            progress=lambda what, share: bar.show(int(share * PERCENT), PERCENT, what),
        )
        bar.show(PERCENT, PERCENT)
    names = ("flat", "identical", "drums", "hits_a_bar", "on_grid", "idiom", "distinct")
    say(f"{'':24}" + " ".join(f"{name:>10}" for name in (*names, "top three")))
    top_three = results["recognised"]["top_three_by_style"]
    for style, row in results["styles"].items():
        figures = [*(row[name] for name in names), top_three[style]]
        say(f"{style:24}" + " ".join(f"{value:10.2f}" for value in figures))
    for label, row in (("mean", results["means"]), ("written phrases", results["written"])):
        say(f"{label:24}" + " ".join(f"{row[name]:10.2f}" for name in names))
    say(json.dumps({name: results[name] for name in ("judge", "copying", "structure")}, indent=1))
    page = None
    if options.out:
        page = options.out / "floor.json"
        write_bytes_atomic(page, json.dumps(results, indent=1, sort_keys=True).encode())
    return {
        "model": model.name,
        "model_sha256": info.card["weights_sha256"],
        "family": model.family,
        **results,
        "report": str(page) if page else None,
    }


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
