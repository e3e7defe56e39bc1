"""The verb paper."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.cli.verb import Answer, ProgressBar, Verbs, add_verb, say
from dj_core.library.library import Library

if TYPE_CHECKING:
    from dj_core.paper.results import Results


def add_paper(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "paper", "reproduce the paper's tables and figures", _run_paper)
    source = verb.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", help="a corpus by name; the paper's, best")
    source.add_argument(
        "--redraw",
        action="store_true",
        help="measure nothing: write again what OUT/results.json says",
    )
    verb.add_argument("--out", type=Path, required=True, help="folder; a stopped run goes on in it")
    verb.add_argument(
        "--quick", action="store_true", help="narrow networks, few songs: minutes, not hours"
    )
    verb.add_argument("--document", type=Path, help="where to tell it (default: OUT/report.md)")


def _run_paper(options: argparse.Namespace) -> Answer:
    from dj_core.paper.paper_report import made_files, write_document

    started = time.perf_counter()
    results = _redrawn(options.out) if options.redraw else _reproduced(options)
    if options.document:
        write_document(results, options.out, options.document)
    tables, figures = made_files(options.out)
    best = results.system("notes-best").loss()
    say(f"{options.out}: {len(tables)} tables, {len(figures)} figures")
    say(f"notes-best {best:.3f} nats a held-out note, the n-gram "
        f"{results.floor.scores['validation']['once'].loss:.3f}")  # fmt: skip
    return {
        "tables": tables,
        "figures": figures,
        "results": str(options.out / "results.json"),
        "losses": {system.name: system.loss() for system in results.systems},
        "floor": results.floor.scores["validation"]["once"].loss,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _redrawn(out: Path) -> Results:
    from dj_core.paper.paper_report import write_report
    from dj_core.paper.results import load_results

    results = load_results(out)
    write_report(results, out)
    return results


def _reproduced(options: argparse.Namespace) -> Results:
    from dj_core.corpus.note_strings import note_songs
    from dj_core.paper.reproduction import Material, few_songs, reproduce

    corpus = Library.open().corpus(options.corpus)
    with ProgressBar(f"Reading the notes of {corpus.name}", "file") as bar:
        songs = note_songs(corpus, bar.show)
    if options.quick:
        songs = few_songs(songs)
    families = {file.id: file.family for file in corpus.files}
    with ProgressBar("Reproducing", "‰") as bar:
        return reproduce(
            Material(corpus.name, tuple(songs), families, options.quick),
            options.out,
            lambda doing, done: bar.show(round(done * 1_000), 1_000, doing),
        )
