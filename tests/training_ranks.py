"""Short runs on made-up songs and on the starter patterns, for `torchrun` to start.

    training_ranks.py FOLDER

The notes run goes to its end, the groove run is stopped in its second epoch. Nothing is dropped
out: each process would silence units of its own.
"""

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dj_core.corpus.note_strings import NoteEvent, NoteSong
from dj_core.models.distributed import ranks_joined
from dj_core.models.families import train_run
from dj_core.models.groove.groove_training import GROOVE_PRESETS
from dj_core.models.notes.note_training import NoteTrainingSettings

NOTES = NoteTrainingSettings(
    hidden=16, batch_size=5, epochs=3, learning_rate=0.01, gradient_clip=1.0, take_every_epochs=0
)
GROOVE = replace(
    GROOVE_PRESETS["groove"],
    hidden=16, streams=5, window_steps=32, steps_per_epoch=4, epochs=2, dropout=0.0,
    weight_drop=0.0, input_drop=0.0, take_every_epochs=0, style_bias_takes=0,
    styles=("house", "trap"),
)  # fmt: skip
GROOVE_STEPS = 6


def songs():
    """Songs of several lengths, so that the ranks' shares differ."""
    made = []
    for number in range(23):
        names = ("C2", "D2", "F#2", "C2 F#2", "rest")
        events = tuple(
            NoteEvent(names[(number + place * (1 + number % 3)) % 5], place / 4, 0.25)
            for place in range(6 + number % 7)
        )
        split = ("train", "train", "train", "validation")[number % 4]
        made.append(NoteSong(f"id{number}", "", split, events, 4.0, 1))
    return made


def notes(folder):
    """Steps of a notes run."""
    return train_run(NOTES, songs(), folder)


def groove(folder, resume=False):
    """Steps of a groove run."""
    return train_run(GROOVE, [], folder, resume=resume)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with ranks_joined():
        for _ in notes(place / "notes"):
            pass
        first = groove(place / "groove")
        for _ in islice(first, GROOVE_STEPS):
            pass
        first.close()
