"""The verbs import, corpora and models."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import asdict

from dj_core.cli.verb import WORKERS, Answer, ProgressBar, option, say, verb, workers
from dj_core.corpus.search import map_uses
from dj_core.corpus.sources import NAMED, counted_left_out, is_sound, place
from dj_core.files.file_names import counted
from dj_core.library.library import Library
from dj_core.music.drum_maps import DRUM_MAPS


@verb(
    "import",
    option("path", type=place, help="or any address that fsspec knows, as in s3://…"),
    option("--name", required=True, help="what the corpus is called"),
    option(
        "--drum-map",
        choices=list(DRUM_MAPS),
        help="how note numbers become drums, for all these files (default: each file's own notes "
        "on channel 10 tell; of files off channel 10, many together)",
    ),
    WORKERS,
)
def import_files(options: argparse.Namespace) -> Answer:
    """Make a folder, zip or file a corpus."""
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
        say(f"Left out, no MIDI or sound files: {counted_left_out(report.left_out)}.")
    transcribed = sum(is_sound(name) for name in report.accepted)
    if transcribed:
        say(f"Transcribed from sound: {counted(transcribed, 'file')}.")
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
        "skipped": [asdict(item) for item in report.skipped],
        "replaced": report.replaced,
        "left_out": [
            {"kind": kind, "count": len(names), "files": names[:NAMED]}
            for kind, names in report.left_out.items()
        ],
        "drum_maps": [asdict(use) for use in maps],
        "transcribed": transcribed,
        "notes_left_out": notes_left_out,
        "warned": warned,
    }


@verb("corpora", timed=False)
def list_corpora(options: argparse.Namespace) -> Answer:
    """List the corpora."""
    found = Library.open().corpora()
    for corpus in found:
        heard = f", {corpus.transcribed:,} transcribed from sound" if corpus.transcribed else ""
        size = f"{counted(len(corpus.index), 'file')}, {counted(corpus.bars, 'bar')}"
        say(f"{corpus.name}: {size}{heard}")
    return {
        "corpora": [
            {
                "name": corpus.name,
                "files": len(corpus.index),
                "bars": corpus.bars,
                "genres": corpus.genres,
                "drum_maps": [asdict(use) for use in map_uses(corpus)],
                "transcribed": corpus.transcribed,
            }
            for corpus in found
        ]
    }


@verb("models", timed=False)
def list_models(options: argparse.Namespace) -> Answer:
    """List the models."""
    library = Library.open()
    usable = library.models()
    for model in usable:
        say(f"{model.name}{' (default)' if model.default else ''}: {', '.join(model.genres)}")
    broken = library.broken_models()
    for item in broken:
        print(f"digital-dj: {item.folder.name} is left out. {item.reason}", file=sys.stderr)
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
            for model in usable
        ],
        "broken": [{"folder": str(item.folder), "reason": item.reason} for item in broken],
    }
