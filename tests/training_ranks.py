"""A short run on made-up songs, for `torchrun` to start: training_ranks.py FOLDER [--resume]."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dj_core.notation import NoteEvent, NoteSong
from dj_core.training import TrainingSettings, train

SETTINGS = TrainingSettings(
    hidden=16, batch_size=5, epochs=3, learning_rate=0.01, gradient_clip=1.0, take_every_epochs=0
)


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


if __name__ == "__main__":
    for _ in train(SETTINGS, songs(), Path(sys.argv[1]), resume="--resume" in sys.argv):
        pass
