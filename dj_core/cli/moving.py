"""The verbs send and fetch: corpora and runs from machine to machine."""

from __future__ import annotations

import argparse

from dj_core.cli.verb import Answer, option, say, verb
from dj_core.errors import TrainingError
from dj_core.files import remote
from dj_core.host.read_only import check_may_change
from dj_core.library.library import Library


@verb(
    "send",
    option("kind", choices=["corpus", "run"]),
    option("name", help="what it is called here"),
    option("address", help="of a file, as in s3://bucket/mine.zip"),
)
def send(options: argparse.Namespace) -> Answer:
    """Copy a corpus or a run to any address."""
    from dj_core.models.run_folder import SETTINGS_NAME, is_locked

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
    count = remote.send(folder, options.kind, options.address)
    say(f"{options.kind} {options.name!r}: {count} files sent to {options.address}")
    return {"files": count}


@verb("fetch", option("address", help="where it was sent, as in s3://bucket/mine.zip"))
def fetch(options: argparse.Namespace) -> Answer:
    """Bring back a corpus or a run that was sent."""
    library = Library.open()
    check_may_change("its corpora and runs")
    places = {"corpus": library.corpus_folder, "run": library.run_folder}
    folder = remote.fetch(options.address, places)
    say(f"{folder.parent.name}/{folder.name} is here now.")
    return {"folder": str(folder)}
