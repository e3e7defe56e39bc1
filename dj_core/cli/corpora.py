"""The verbs import, corpora and models."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from dj_core.cli.verb import Answer, ProgressBar, Verbs, add_verb, add_workers, say, workers
from dj_core.library import Library
from dj_core.sources import place


def add_import(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "import", "make a folder, zip or file a corpus", _run_import)
    verb.add_argument("path", type=place, help="or any address that fsspec knows, as in s3://…")
    verb.add_argument("--name", required=True, help="what the corpus is called")
    verb.add_argument(
        "--drum-map",
        choices=["general-midi", "extended"],
        help="how note numbers become drums (default: found out from the files)",
    )
    add_workers(verb)


def _run_import(options: argparse.Namespace) -> Answer:
    started = time.perf_counter()
    with workers(options) as executor, ProgressBar("Importing", "file") as bar:
        report = Library.open().import_corpus(
            options.path,
            options.name,
            drum_map=options.drum_map,
            progress=bar.show,
            executor=executor,
        )
    files = report.index
    say(f"{len(files)} files in corpus {options.name!r}, {len(report.skipped)} skipped.")
    for skipped in report.skipped:
        say(f"  skipped {skipped.file}: {skipped.reason}")
    return {
        "name": options.name,
        "files": len(files),
        "genres": dict(sorted(Counter(files["genre"].to_pylist()).items())),
        "bars": sum(files["bars"].to_pylist()),
        "skipped": [{"file": item.file, "reason": item.reason} for item in report.skipped],
        "seconds": round(time.perf_counter() - started, 3),
    }


def add_corpora(verbs: Verbs) -> None:
    """List the corpora."""
    add_verb(verbs, "corpora", "list the corpora", _run_corpora)


def _run_corpora(options: argparse.Namespace) -> Answer:
    corpora = Library.open().corpora()
    for corpus in corpora:
        say(f"{corpus.name}: {len(corpus.index)} files, {corpus.bars} bars")
    return {
        "corpora": [
            {
                "name": corpus.name,
                "files": len(corpus.index),
                "bars": corpus.bars,
                "genres": corpus.genres,
            }
            for corpus in corpora
        ]
    }


def add_models(verbs: Verbs) -> None:
    """List the models."""
    add_verb(verbs, "models", "list the models", _run_models)


def _run_models(options: argparse.Namespace) -> Answer:
    library = Library.open()
    models = library.models()
    for model in models:
        say(f"{model.name}{' (default)' if model.default else ''}: {', '.join(model.genres)}")
    broken = library.broken_models()
    for model in broken:
        print(f"digital-dj: {model.folder.name} is left out. {model.reason}", file=sys.stderr)
    return {
        "models": [
            {
                "name": model.name,
                "family": model.family,
                "default": model.default,
                "genres": list(model.genres),
                "meters": [str(meter) for meter in model.meters],
                "shipped": model.shipped,
            }
            for model in models
        ],
        "broken": [{"folder": str(item.folder), "reason": item.reason} for item in broken],
    }
