"""Parsing and importing, beside four parsers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.speed.measure import Row, core_seconds
from dj_core.corpus.store import import_corpus
from dj_core.files.midi import parse_midi, read_midi

SLOW_FILES = 40  # music21 takes thirty milliseconds for one


def rows(files: list[Path], name: str) -> Iterator[Row]:
    """Milliseconds a file; `files` are copied, so that an import finds them and nothing else."""
    import mido
    import music21
    import pretty_midi
    import symusic

    part = f"import {name}"
    some = files[:: max(1, len(files) // SLOW_FILES)][:SLOW_FILES]
    contents = [file.read_bytes() for file in files]

    def per_file(work: Callable[[Any], object], material: Sequence[Any], rounds: int = 3) -> float:
        def all_of_them() -> None:
            for item in material:
                work(item)

        return 1_000 * core_seconds(all_of_them, rounds) / len(material)

    # else it would read its own pickle of the file the second time
    anew = partial(music21.converter.parse, forceSource=True)
    yield Row(part, "music21", per_file(anew, some, 1), "ms/file")
    yield Row(
        part, "pretty_midi", per_file(lambda f: pretty_midi.PrettyMIDI(str(f)), some), "ms/file"
    )
    yield Row(part, "mido", per_file(mido.MidiFile, some), "ms/file")
    yield Row(part, "symusic", per_file(symusic.Score, files), "ms/file", note="unchecked")
    yield Row(part, "strict check", per_file(parse_midi, contents), "ms/file", against="symusic")
    yield Row(part, "read as a Beat", per_file(read_midi, contents), "ms/file", against="music21")
    with tempfile.TemporaryDirectory() as place:
        source, corpus = Path(place) / "source", Path(place) / "corpus"
        for number, file in enumerate(files):
            folder = source / file.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / f"{number}-{file.name}")

        fresh = count()

        def whole() -> None:
            import_corpus(source, corpus / str(next(fresh)), "bench")

        cost = 1_000 * core_seconds(whole) / len(files)
    note = "check, copy, sketch, families, split, index"
    yield Row(part, "import", cost, "ms/file", against="music21", note=note)
    yield Row(part, "import, beside symusic", cost, "ms/file", against="symusic")
