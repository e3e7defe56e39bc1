"""Machine words as a DJ says them: states of runs, presets, durations."""

from __future__ import annotations

from dj_core.jobs import Run

_PRESETS = {
    "notes-rhythm": "Rhythm · notes with their lengths, by genre",
    "paper-1x128": "Paper · 1 layer of 128",
    "paper-2x32": "Paper · 2 layers of 32",
    "paper-2x32-slow": "Paper · 2 layers of 32, slow",
}


def preset_label(preset: str) -> str:
    """What to call a training preset; one this table does not know goes by its name."""
    return _PRESETS.get(preset, preset)


def state_words(run: Run) -> str:
    """What a run is doing: 'starting', 'running', 'finished', 'stopped', 'failed', 'died'."""
    return "starting" if run.starting and run.state == "running" else run.state


def duration_words(seconds: float) -> str:
    """A time span as a clock shows it: '0:42', '12:05', '1:02:05'."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(number: int, noun: str) -> str:
    """A number and its noun, which takes an s: '1 bar', '1,544 files'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
