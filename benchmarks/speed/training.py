"""Training the paper's network: what each step away from the authors' loop buys."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.measure import Row, core_seconds
from dj_core.corpus.note_strings import NoteEvent, NoteSong
from dj_core.models.families import train_run
from dj_core.models.notes.note_tokenizer import NOTE_OF_NAME
from dj_core.models.notes.note_training import NOTE_PRESETS

WORDS, SONGS, MEAN_NOTES = 1_911, 96, 44  # the paper's vocabulary and notes a song


def songs(count: int = SONGS, words: int = WORDS) -> list[NoteSong]:
    """Songs as long as the corpus's, of as many words; what they say matters not for speed."""
    chance = np.random.default_rng(1)
    lengths = np.clip(chance.lognormal(np.log(MEAN_NOTES) - 0.3, 0.8, count), 8, 180).astype(int)
    names = [f"{one} {other}" for one in NOTE_OF_NAME for other in NOTE_OF_NAME][:words]
    order = iter([*range(words), *chance.integers(0, words, max(0, lengths.sum() - words))])
    return [
        NoteSong(
            f"id{number}",
            "",
            "train" if number % 8 else "validation",
            tuple(NoteEvent(names[next(order, 0)], place / 4, 0.25) for place in range(length)),
            4.0,
            1,
        )
        for number, length in enumerate(lengths.tolist())
    ]


def rows(material: Sequence[NoteSong], batches: tuple[int, ...] = (1, 4, 16)) -> Iterator[Row]:
    """Distinct notes of the songs a second: what is repeated to fill up is not counted."""
    part = "training paper-2x32"
    music = sum(len(song.events) for song in material if song.split == "train")
    plain = replace(NOTE_PRESETS["paper-2x32"], epochs=1, take_every_epochs=0, threads=1)

    def speed(**changes: Any) -> float:  # noqa: ANN401 - settings of every kind
        settings = replace(plain, **changes)

        def once() -> None:
            with tempfile.TemporaryDirectory() as folder:
                for _ in train_run(settings, material, Path(folder) / "run"):
                    pass

        return music / core_seconds(once, 1)

    first = f"batch {batches[0]}, songs extended to the longest"
    note = "as the authors do"
    yield Row(part, first, speed(batch_size=batches[0]), "notes/s", True, note=note)
    for batch in batches[1:]:
        name = f"batch {batch}, songs extended"
        yield Row(part, name, speed(batch_size=batch), "notes/s", True, against=first)
    for batch in batches:
        name = f"batch {batch}, songs once, lengths alike"
        value = speed(batch_size=batch, loop_notes=1)
        yield Row(part, name, value, "notes/s", True, against=first)
