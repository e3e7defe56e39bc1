"""The verbs import, corpora and models."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import asdict

from dj_core.cli.verb import Answer, ProgressBar, Verbs, add_verb, add_workers, say, workers
from dj_core.corpus.search import map_uses
from dj_core.corpus.sources import NAMED, counted_left_out, place
from dj_core.files.file_names import counted
from dj_core.library.library import Library
from dj_core.music.drum_maps import DRUM_MAPS


def add_import(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "import", "make a folder, zip or file a corpus", _run_import)
    verb.add_argument("path", type=place, help="or any address that fsspec knows, as in s3://…")
    verb.add_argument("--name", required=True, help="what the corpus is called")
    verb.add_argument(
        "--drum-map",
        choices=list(DRUM_MAPS),
        help="how note numbers become drums, for all these files (default: each file's own notes "
        "on channel 10 tell; of files off channel 10, many together)",
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
    say(f"{counted(len(files), 'file')} in corpus {options.name!r}, {len(report.skipped)} skipped.")
    for skipped in report.skipped:
        say(f"  skipped {skipped.file}: {skipped.reason}")
    if report.replaced:
        say(f"Replaced: {counted(report.replaced, 'file')} of the same name.")
    if report.left_out:
        say(f"Left out, as they are no MIDI files: {counted_left_out(report.left_out)}.")
    maps = map_uses(report.corpus, files)
    for use in maps:
        say(f"Note map {use.drum_map}: {counted(use.files, 'file')} ({use.because}).")
    notes_left_out = sum(files["notes_left_out"].to_pylist())
    warned = sum(warnings > 0 for warnings in files["warnings"].to_pylist())
    if warned:
        left = f", {counted(notes_left_out, 'note')} left out" if notes_left_out else ""
        say(f"Warnings: {counted(warned, 'file')}{left}. `inspect FILE` tells what is odd in one.")
    return {
        "name": options.name,
        "files": len(files),
        "genres": dict(sorted(Counter(files["genre"].to_pylist()).items())),
        "bars": sum(files["bars"].to_pylist()),
        "skipped": [{"file": item.file, "reason": item.reason} for item in report.skipped],
        "replaced": report.replaced,
        "left_out": [
            {"kind": kind, "count": len(names), "files": names[:NAMED]}
            for kind, names in report.left_out.items()
        ],
        "drum_maps": [asdict(use) for use in maps],
        "notes_left_out": notes_left_out,
        "warned": warned,
        "seconds": round(time.perf_counter() - started, 3),
    }


def add_corpora(verbs: Verbs) -> None:
    """List the corpora."""
    add_verb(verbs, "corpora", "list the corpora", _run_corpora)


def _run_corpora(options: argparse.Namespace) -> Answer:
    corpora = Library.open().corpora()
    for corpus in corpora:
        say(f"{corpus.name}: {counted(len(corpus.index), 'file')}, {counted(corpus.bars, 'bar')}")
    return {
        "corpora": [
            {
                "name": corpus.name,
                "files": len(corpus.index),
                "bars": corpus.bars,
                "genres": corpus.genres,
                "drum_maps": [asdict(use) for use in map_uses(corpus)],
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
    for left_out in broken:
        reason = left_out.reason
        print(f"digital-dj: {left_out.folder.name} is left out. {reason}", file=sys.stderr)
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
