"""Trains the networks of the plan, resumable, and measures processor time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path

from dj_core.corpus.note_strings import NoteSong
from dj_core.files.storage import write_bytes_atomic
from dj_core.models.families import Settings, read_run_settings, train_run
from dj_core.models.notes.note_checkpoint import NoteCheckpoint, load_note_model
from dj_core.models.run_folder import (
    MODEL_NAME,
    STATE_NAME,
    TrainingStep,
    read_progress,
    read_status,
)
from dj_core.paper.plan import Entry
from dj_core.paper.scoring import NoteScore, authors_accuracy, longest_song, score_network

CURVE_NAME = "curve.json"
Watch = Callable[[TrainingStep], None]


@dataclass(frozen=True)
class CurvePoint:
    """Where a network stood after an epoch.

    Attributes:
        epoch: counted from 1.
        train_loss, validation_loss: nats per word, as training itself measures them.
        accuracy: share of next notes right in held-out songs looped, 0 to 1; None if unmeasured.
        authors_accuracy: the same as the authors' code computes it.
        cpu_seconds: processor time the epoch took, validation included; None if unmeasured.
    """

    epoch: int
    train_loss: float
    validation_loss: float | None
    accuracy: float | None
    authors_accuracy: float | None
    cpu_seconds: float | None


def train_entry(
    entry: Entry,
    seed: int,
    songs: Sequence[NoteSong],
    corpus: str,
    folder: Path,
    quick: bool,
    watch: Watch,
) -> None:
    """Train one entry in ``folder``, or go on where an earlier call was stopped.

    Raises:
        TrainingError: the folder holds another run, or cannot be written.
    """
    import torch

    settings: Settings = entry.settings(corpus, quick, seed)
    resume = (folder / STATE_NAME).exists()
    if resume:
        before = read_run_settings(folder)
        if read_status(folder)[0] == "finished" and before.epochs >= settings.epochs:
            return
        settings = replace(before, epochs=max(before.epochs, settings.epochs))
    held_out = [song for song in songs if song.split == "validation"]
    longest = longest_song(songs)
    points = {point.epoch: point for point in read_curve(folder)}
    started = time.process_time()
    for step in train_run(settings, songs, folder, resume=resume):
        watch(step)
        if not step.ends_epoch:
            continue
        seconds = time.process_time() - started
        right = authors = None
        if entry.every_epoch and seed == 1:
            # the network as this epoch left it, which need not be the best
            best = load_note_model(folder / MODEL_NAME)
            network, tokenizer = best.network, best.tokenizer
            state = torch.load(BytesIO((folder / STATE_NAME).read_bytes()), weights_only=True)
            network.load_state_dict(state["network"])
            network.eval()
            right = NoteScore.of(score_network(network, tokenizer, held_out, longest)).accuracy
            authors = authors_accuracy(network, tokenizer, held_out, longest)
        points[step.epoch] = CurvePoint(
            step.epoch, step.train_loss, step.validation_loss, right, authors, seconds
        )
        curve = [asdict(points[epoch]) for epoch in sorted(points)]
        write_bytes_atomic(folder / CURVE_NAME, json.dumps(curve, indent=1).encode())
        started = time.process_time()


def read_curve(folder: Path) -> tuple[CurvePoint, ...]:
    """What was noted after each epoch, in order; nothing for a run that has not ended one."""
    try:
        return tuple(CurvePoint(**point) for point in json.loads((folder / CURVE_NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return ()


def trained(folder: Path) -> tuple[NoteCheckpoint, int]:
    """The best model of a run, and how many epochs the run had. Raises CheckpointError."""
    return load_note_model(folder / MODEL_NAME), epochs_of(folder)


def epochs_of(folder: Path) -> int:
    """How many whole epochs a run has had."""
    return max((step.epoch for step in read_progress(folder) if step.ends_epoch), default=0)
