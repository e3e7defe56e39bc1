"""Saves and training runs that are killed; started by `test_hostile_disk.py` in a process apart.

    .venv/bin/python tests/killed_saves.py saves FOLDER KILLS
    .venv/bin/python tests/killed_saves.py runs FOLDER FAMILY

PyTorch is loaded once; each victim is a fork of this process. The last line is a JSON object.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

KILLS_OF_A_RUN = 4


Tell = Callable[[], None]


def _kill_after(steps: int, seconds: float, work: Callable[[Tell], None]) -> bool:
    """Do work in a fork and kill it some time after it told of so many steps; whether it lived."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            work(lambda: os.write(tell, b"!") and None)
        finally:
            os._exit(0)
    os.close(tell)
    for _ in range(steps):
        os.read(told, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(told)
    return os.WIFSIGNALED(status)


def killed_saves(folder: Path, kills: int) -> dict[str, object]:
    """Save one of two models over and over, and be killed at it; what could be loaded then."""
    from dj_core.files.storage import write_bytes_atomic
    from dj_core.models.checkpoint import PREVIOUS_NAME, ModelFacts
    from dj_core.models.notes.network_settings import NetworkSettings
    from dj_core.models.notes.note_checkpoint import load_note_model, save_note_model
    from dj_core.models.notes.note_network import build_network
    from dj_core.models.notes.note_tokenizer import NotesSettings, NotesTokenizer, Vocabulary

    words = ("C2", "D2", "F#2", "rest")
    tokenizer = NotesTokenizer(NotesSettings(), Vocabulary(words))
    networks = [build_network(NetworkSettings(len(words), hidden=64), seed=seed) for seed in (1, 2)]
    facts = ModelFacts("tiny", ("mine",))

    def save(number: int) -> None:
        save_note_model(folder / "model", networks[number % 2], tokenizer, facts)
        write_bytes_atomic(folder / "state", bytes([number % 2]) * 300_000)

    save(0)
    begun = time.monotonic()
    save(0)
    usual = time.monotonic() - begun
    known = {load_note_model(folder / "model").weights_sha256}
    save(1)
    known.add(load_note_model(folder / "model").weights_sha256)

    def save_on(tell: Tell) -> None:
        number = 0
        tell()
        while True:
            save(number)
            number += 1

    draw = random.Random(1)
    loaded, states, at_it, between = 0, 0, 0, 0
    for _ in range(kills):
        at_it += _kill_after(1, draw.uniform(0, 3) * usual, save_on)
        between += (folder / "model" / PREVIOUS_NAME).exists()
        loaded += load_note_model(folder / "model").weights_sha256 in known
        state = (folder / "state").read_bytes()
        states += len(state) == 300_000 and len(set(state)) == 1
    return {
        "kills": at_it, "loaded": loaded, "states": states, "between": between,
        "models_told_apart": len(known),
    }  # fmt: skip


def killed_runs(folder: Path, family: str) -> dict[str, object]:
    """Train once in peace, and once killed every few moments; the weights' hashes of both."""
    import torch

    from dj_core.errors import TrainingError

    torch.set_num_threads(1)
    train_run = _notes_run if family == "notes" else _groove_run
    train_run(folder / "peace", False, lambda: None)
    draw, kills = random.Random(2), 0
    for _ in range(KILLS_OF_A_RUN):
        resume = (folder / "war" / "settings.json").exists()
        work = functools.partial(train_run, folder / "war", resume)
        kills += _kill_after(draw.randrange(1, 6), draw.uniform(0, 0.01), work)
    with contextlib.suppress(TrainingError):  # it came to its end before it was killed
        train_run(folder / "war", True, lambda: None)
    return {"kills": kills, "peace": _hash_of(folder / "peace"), "war": _hash_of(folder / "war")}


def _notes_run(folder: Path, resume: bool, tell: Tell) -> None:
    from dataclasses import replace

    from test_training import TINY, songs

    from dj_core.models.families import train_run

    for _ in train_run(replace(TINY, epochs=6), songs(), folder, resume=resume):
        tell()


def _groove_run(folder: Path, resume: bool, tell: Tell) -> None:
    from dataclasses import replace

    from dj_core.models.families import train_run
    from dj_core.models.groove.groove_training import GROOVE_PRESETS

    settings = replace(
        GROOVE_PRESETS["groove"],
        hidden=16,
        streams=3,
        steps_per_epoch=3,
        epochs=4,
        take_every_epochs=0,
        style_bias_takes=8,
        styles=("house",),
    )
    for _ in train_run(settings, [], folder, resume=resume):
        tell()


def _hash_of(run: Path) -> str:
    from dj_core.files.storage import sha256_of

    return sha256_of((run / "model" / "weights.safetensors").read_bytes())


def main() -> int:
    """One of the two, as the command line says."""
    what, folder, rest = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    folder.mkdir(parents=True, exist_ok=True)
    told = killed_saves(folder, int(rest)) if what == "saves" else killed_runs(folder, rest)
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
