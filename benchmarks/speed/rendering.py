"""A loop as sound, beside the fluidsynth command line where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.speed.measure import Row, core_seconds
from dj_core.beat import Beat
from dj_core.midi import save_midi
from dj_core.render import default_soundfont, kit_shots, render


def rows(beat: Beat) -> Iterator[Row]:
    """Times real time; a one-shot kit is rendered once for all beats of a deck."""
    part = "rendering"
    seconds = beat.duration_seconds
    if shutil.which("fluidsynth"):
        yield Row(part, "fluidsynth", seconds / _command_line(beat), "x real time", True)
    ours = seconds / core_seconds(lambda: render(beat, loop=True))
    yield Row(part, "a loop, mixed", ours, "x real time", True, against="fluidsynth")
    yield Row(part, "a kit's one-shots", 1_000 * core_seconds(lambda: kit_shots(), 1), "ms")


def _command_line(beat: Beat) -> float:
    with tempfile.TemporaryDirectory() as folder:
        midi = save_midi(beat, Path(folder) / "beat.mid")
        command = ["fluidsynth", "-ni", "-F", Path(folder) / "beat.wav", "-r", "44100"]
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([*command, default_soundfont().path, midi], check=True, capture_output=True)
        after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
