"""The verbs send and fetch: corpora and runs from machine to machine."""

from __future__ import annotations

import argparse
import time

from dj_core.cli.verb import Answer, Verbs, add_verb, say
from dj_core.errors import TrainingError
from dj_core.host.read_only import check_may_change
from dj_core.library.library import Library


def add_send(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "send", "copy a corpus or a run to any address", _run_send)
    verb.add_argument("kind", choices=["corpus", "run"])
    verb.add_argument("name", help="what it is called here")
    verb.add_argument("address", help="of a file, as in s3://bucket/mine.zip")


def add_fetch(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "fetch", "bring back a corpus or a run that was sent", _run_fetch)
    verb.add_argument("address", help="where it was sent, as in s3://bucket/mine.zip")


def _run_send(options: argparse.Namespace) -> Answer:
    from dj_core.files.remote import send
    from dj_core.models.run_folder import SETTINGS_NAME, is_locked

    started = time.perf_counter()
    library = Library.open()
    if options.kind == "corpus":
        folder = library.corpus(options.name).folder
    else:
        folder = library.run_folder(options.name)
        if not (folder / SETTINGS_NAME).is_file():
            raise TrainingError(f"There is no run called {options.name!r}.")
        if is_locked(folder):
            raise TrainingError(
                f"Run {options.name!r} is being trained. Stop it first, or wait for its end."
            )
    count = send(folder, options.kind, options.address)
    say(f"{options.kind} {options.name!r}: {count} files sent to {options.address}")
    return {"files": count, "seconds": round(time.perf_counter() - started, 3)}


def _run_fetch(options: argparse.Namespace) -> Answer:
    from dj_core.files.remote import fetch

    started = time.perf_counter()
    library = Library.open()
    check_may_change("its corpora and runs")
    places = {"corpus": library.corpus_folder, "run": library.run_folder}
    folder = fetch(options.address, places)
    say(f"{folder.parent.name}/{folder.name} is here now.")
    return {"folder": str(folder), "seconds": round(time.perf_counter() - started, 3)}
