"""How soon a network is as good as the paper's best: processor seconds until a validation loss.

    .venv/bin/python -m benchmarks.speed.time_to_loss --place FOLDER [--corpus paper] [--minutes 7]

The authors' loop is the paper's best configuration, 2 layers of 32, taught one song at a time, all
extended to the longest, for 50 epochs; its best validation loss is the goal. Ours is the preset
`notes-quick`: the same notes as the same words, measured on the same validation songs extended the
same way. Both are trained for real, on one thread, and everything a run does is counted: reading
songs into tensors, learning, validating, keeping. After so many minutes the authors' run pauses in
FOLDER; the same command goes on with it. Until it is through its 50 epochs, its seconds are
projected from the epochs done, and say so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.speed.measure import Row
from dj_core.corpus.note_strings import NoteSong, note_songs
from dj_core.library.library import Library
from dj_core.models.families import train_run
from dj_core.models.notes.note_checkpoint import load_note_model
from dj_core.models.notes.note_training import NOTE_PRESETS, NoteTrainingSettings
from dj_core.models.run_folder import MODEL_NAME, STATE_NAME, read_progress
from dj_core.paper.scoring import NoteScore, longest_song, score_network

PAPER, OURS, EPOCHS = "paper-2x32", "notes-quick", 50
SEEDS = (1, 2, 3)
SPENT_NAME = "spent.json"
MEASURED_LOSS = 4.090  # nats: 50 epochs of it, four songs at a time; docs/reproduction.md


@dataclass(frozen=True)
class Spent:
    """What a run has cost so far.

    Attributes:
        epochs: done.
        seconds: of the processor, from the first song to the end of the last epoch done.
        loss: the best so far, nats a note of the validation songs, extended to the longest.
    """

    epochs: int
    seconds: float
    loss: float


def authors(songs: Sequence[NoteSong], place: Path, minutes: float) -> Spent:
    """Go on with the authors' run in `place` for about so long."""
    settings = authors_settings()
    kept = place / SPENT_NAME
    spent = json.loads(kept.read_text()) if kept.exists() else {"epochs": 0, "seconds": 0.0}
    started, until = time.process_time(), time.monotonic() + 60 * minutes
    seconds, earlier = spent["seconds"], spent["epochs"]
    if earlier < EPOCHS:
        for step in train_run(settings, songs, place, resume=(place / STATE_NAME).exists()):
            if not step.ends_epoch:
                continue
            done = seconds + time.process_time() - started
            kept.write_text(json.dumps({"epochs": step.epoch, "seconds": done}))
            if time.monotonic() >= until:
                break
    spent = json.loads(kept.read_text())
    losses = [step.validation_loss for step in read_progress(place) if step.ends_epoch]
    return Spent(loss=min(losses), **spent)


def authors_settings() -> NoteTrainingSettings:
    """One song at a time, as the authors teach."""
    return replace(NOTE_PRESETS[PAPER], batch_size=1, epochs=EPOCHS, take_every_epochs=0)


def ours(
    songs: Sequence[NoteSong], place: Path, goal: float, settings: NoteTrainingSettings
) -> list[Spent]:
    """Train until the goal is reached; how the run stood after every epoch."""
    held_out = [song for song in songs if song.split == "validation"]
    longest = longest_song(songs)
    points: list[Spent] = []
    started, apart = time.process_time(), 0.0
    for step in train_run(settings, songs, place):
        if not step.ends_epoch:
            continue
        seconds = time.process_time() - started - apart
        looked = time.process_time()
        best = load_note_model(place / MODEL_NAME)
        loss = NoteScore.of(
            score_network(best.network.eval(), best.tokenizer, held_out, longest)
        ).loss
        points.append(Spent(step.epoch, seconds, loss))
        apart += time.process_time() - looked  # the run itself measures songs once through
        if loss <= goal:
            break
    return points


def rows(songs: Sequence[NoteSong], place: Path, minutes: float) -> list[Row]:
    """Both, as the table's rows; the authors' run is left in `place` to go on with."""
    part = "time to the paper's loss"
    theirs = authors(songs, place / "authors", minutes)
    through = theirs.epochs >= EPOCHS
    goal = theirs.loss if through else MEASURED_LOSS
    seconds = theirs.seconds * EPOCHS / theirs.epochs
    note = f"{goal:.3f} nats a note"
    note += ", measured" if through else f"; time projected from {theirs.epochs} epochs"
    taken = []
    for seed in SEEDS:
        folder = place / f"ours-{time.time_ns()}-{seed}"
        run = ours(songs, folder, goal, replace(NOTE_PRESETS[OURS], seed=seed, take_every_epochs=0))
        print(json.dumps({"seed": seed, "epochs": [asdict(point) for point in run]}), flush=True)
        if run[-1].loss > goal:
            raise SystemExit(f"{OURS} with seed {seed} ends at {run[-1].loss:.3f} nats.")
        taken.append(run[-1])
    middle = statistics.median(point.seconds for point in taken)
    epochs = ", ".join(str(point.epochs) for point in taken)
    return [
        Row(part, "the authors' loop, 50 epochs", seconds, "s", note=note),
        Row(
            part,
            f"preset {OURS}",
            middle,
            "s",
            against="the authors' loop, 50 epochs",
            note=f"median of {len(taken)} seeds, which took {epochs} epochs",
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpus", default="paper", help="name of an imported corpus")
    parser.add_argument("--place", type=Path, required=True, help="where the runs are kept")
    parser.add_argument("--minutes", type=float, default=7, help="for the authors' loop, this time")
    asked = parser.parse_args()
    songs = note_songs(Library.open().corpus(asked.corpus))
    for row in rows(songs, asked.place, asked.minutes):
        print(f"{row.part:28} {row.name:32} {row.value:10.2f} {row.unit}  {row.note}", flush=True)


if __name__ == "__main__":
    main()
