"""Models trained on MIDI and on the same music transcribed from sound, side by side.

``python -m benchmarks.transcribed_training --archive FOLDER [--files 400] [--out FILE]``.

Loops are drawn from the paper's corpus at 120 BPM. Each is written as General MIDI, and played by a
kit that the transcriber never heard and read back from that WAV. Both corpora have the same files
in training, and the same MIDI files to validate on: whatever a model learned from, it is measured
on what was really played. Presets, seeds and steps are the same on both sides, and few.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.transcription_figures import UNSEEN_KITS
from dj_core.corpus.store import Corpus, import_corpus
from dj_core.evaluation.references import reference_of_corpora
from dj_core.evaluation.surprise import surprise_of
from dj_core.files.midi import midi_bytes
from dj_core.files.storage import write_json_atomic
from dj_core.models.families import Settings, load_model, material_of, presets, train_run
from dj_core.models.groove.groove_training import GrooveTrainingSettings
from dj_core.models.notes.note_training import NoteTrainingSettings
from dj_core.music.beat import Beat
from dj_core.sound.render import SAMPLE_RATE_HZ, render_stems

TEMPO_BPM = 120.0
SIDES = ("MIDI", "transcribed")


def budgets() -> list[Settings]:
    """The paper's network and the groove preset, each at a budget of a few minutes."""
    paper, groove = presets()["paper-2x32"], presets()["groove-quick"]
    assert isinstance(paper, NoteTrainingSettings)
    assert isinstance(groove, GrooveTrainingSettings)
    return [
        replace(paper, epochs=6),
        replace(
            groove, hidden=128, steps_per_epoch=80, epochs=3, style_bias_takes=0,
            take_every_epochs=0, starter=False,
        ),
    ]  # fmt: skip


def write_corpora(archive: Corpus, files: int, folder: Path) -> dict[str, Corpus]:
    """The two corpora, of the same loops."""
    rng = np.random.default_rng(1)
    train = [file for file in archive.files if file.split == "train" and file.lanes]
    held_out = [file for file in archive.files if file.split == "validation" and file.lanes]
    chosen = [train[one] for one in rng.permutation(len(train))[:files]]
    chosen += [held_out[one] for one in rng.permutation(len(held_out))[: files // 4]]
    rows: dict[str, list[tuple[str, str, float, str]]] = {side: [] for side in SIDES}
    for number, file in enumerate(chosen):
        beat: Beat = replace(archive.beat(file).at_tempo(TEMPO_BPM), title=file.title)
        for side in SIDES:
            sounds = side == "transcribed" and file.split == "train"
            name = f"{file.genre or 'none'}/{number:04}.{'wav' if sounds else 'mid'}"
            path = folder / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if sounds:
                kit = UNSEEN_KITS[number % len(UNSEEN_KITS)]
                sound = sum(render_stems(beat, kit, loop=True).values())
                soundfile.write(path, sound, SAMPLE_RATE_HZ, subtype="PCM_16")
            else:
                path.write_bytes(midi_bytes(beat))
            rows[side].append((name, file.genre, TEMPO_BPM, file.split))
    corpora = {}
    for side in SIDES:
        with (folder / side / "info.csv").open("w", newline="") as sheet:
            csv.writer(sheet).writerows([("file", "genre", "bpm", "split"), *rows[side]])
        corpora[side] = import_corpus(folder / side, folder / f"corpus-{side}", side).corpus
        print(
            side,
            len(corpora[side].files),
            "files",
            len(corpora[side].skipped),
            "skipped",
            flush=True,
        )
    return corpora


def trained(settings: Settings, corpus: Corpus, reference: Corpus, folder: Path) -> dict[str, Any]:
    """One model, and its bits of what was really played."""
    began = time.process_time()
    settings = replace(settings, corpora=(corpus.name,))  # type: ignore[type-var]
    steps = 0
    for step in train_run(settings, material_of(settings, [corpus]), folder):
        steps = (step.epoch - 1) * step.steps + step.step
    seconds = time.process_time() - began
    found = surprise_of(
        load_model(folder / "model"), reference_of_corpora([reference], "validation")
    )
    told = {name: round(value, 4) for name, value in asdict(found).items() if value is not None}
    return {"steps": steps, "work_seconds": round(seconds), **told}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the corpora, train four models, print and write what they expect of held-out music."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="the paper's corpus")
    parser.add_argument("--files", type=int, default=400, help="to train on; a quarter to validate")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        archive = import_corpus(options.archive, folder / "archive", "archive").corpus
        corpora = write_corpora(archive, options.files, folder)
        for settings in budgets():
            for side in SIDES:
                run = folder / f"{settings.preset}-{side}"
                found[f"{settings.preset}, {side}"] = row = trained(
                    settings, corpora[side], corpora["MIDI"], run
                )
                print(settings.preset, side, json.dumps(row), flush=True)
    if options.out:
        write_json_atomic(options.out, found)


if __name__ == "__main__":
    main()
