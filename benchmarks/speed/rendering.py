"""A loop as sound, beside the fluidsynth command line; a set's pack, alone and by two processes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.speed.measure import Row, core_seconds
from dj_core.files.midi import save_midi
from dj_core.host.executors import executor_for
from dj_core.music.beat import Beat
from dj_core.sets.pack_contents import save_pack
from dj_core.sets.set_plan import Entry, SetList, SetSettings, plan_set
from dj_core.sound.render import default_soundfont, kit_shots, render_stems

PACKED_BEATS = 24


def rows(beat: Beat) -> Iterator[Row]:
    """Times real time; a one-shot kit is rendered once for all beats of a deck."""
    part = "rendering"
    seconds = beat.duration_seconds
    if shutil.which("fluidsynth"):
        yield Row(part, "fluidsynth", seconds / _command_line(beat), "x real time", True)
    ours = seconds / core_seconds(lambda: render_stems(beat, loop=True))
    yield Row(part, "a loop, mixed", ours, "x real time", True, against="fluidsynth")
    yield Row(part, "a kit's one-shots", 1_000 * core_seconds(lambda: kit_shots(), 1), "ms")


def pack_rows(beats: Sequence[Beat]) -> Iterator[Row]:
    """Seconds by the clock, for other cores shall take a share; the workers are there already."""
    part = f"a pack of {PACKED_BEATS} beats"
    entries = [Entry(beat, phrases=2) for beat in beats[:PACKED_BEATS]]
    planned = plan_set(entries, SetSettings(name="Bench", phrase_bars=8, keep_order=True))
    alone = _packing_seconds(planned, None)
    yield Row(part, "one process", alone, "s", note="clock; loops, stems, MIDI, PDF, zip")
    with executor_for(processes=2) as executor:
        _packing_seconds(planned, executor)  # starts the workers
        shared = _packing_seconds(planned, executor)
    note = "the same bytes; two more processes on two cores"
    yield Row(part, "two workers", shared, "s", against="one process", note=note)


def _packing_seconds(planned: SetList, executor: Executor | None) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        save_pack(planned, Path(folder) / "set.zip", executor=executor)
        return time.perf_counter() - started


def _command_line(beat: Beat) -> float:
    with tempfile.TemporaryDirectory() as folder:
        midi = save_midi(beat, Path(folder) / "beat.mid")
        command = ["fluidsynth", "-ni", "-F", Path(folder) / "beat.wav", "-r", "44100"]
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([*command, default_soundfont().path, midi], check=True, capture_output=True)
        after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
