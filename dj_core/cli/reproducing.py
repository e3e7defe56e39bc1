"""The verb paper."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.cli.verb import Answer, ProgressBar, one_of, option, say, verb
from dj_core.library.library import Library

if TYPE_CHECKING:
    from dj_core.paper.results import Results


@verb(
    "paper",
    one_of(
        option("--corpus", help="a corpus by name; the paper's, best"),
        option(
            "--redraw",
            action="store_true",
            help="measure nothing: write again what OUT/results.json says",
        ),
        required=True,
    ),
    option("--out", type=Path, required=True, help="folder; a stopped run goes on in it"),
    option("--quick", action="store_true", help="narrow networks, few songs: minutes, not hours"),
    option("--document", type=Path, help="where to tell it (default: OUT/report.md)"),
)
def paper(options: argparse.Namespace) -> Answer:
    """Reproduce the paper's tables and figures."""
    from dj_core.paper.paper_report import made_files, write_document, write_report
    from dj_core.paper.results import load_results

    if options.redraw:
        results = load_results(options.out)
        write_report(results, options.out)
    else:
        results = _reproduced(options)
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
    }


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
