"""The verb listen: what the app hears in a track or loop."""

from __future__ import annotations

import argparse
from pathlib import Path

from dj_core.cli.verb import Answer, option, say, verb


@verb("listen", option("file", type=Path, help="WAV, AIFF, FLAC, OGG or MP3, up to 15 minutes"))
def listen(options: argparse.Namespace) -> Answer:
    """Find tempo, beats, groove and sections of a track."""
    from dj_core.listening.listening import listen as hear

    heard = hear(options.file)
    if heard.tempo_bpm is None:
        say(f"{heard.name}: {heard.confidence_in_words}.")
    else:
        others = ", ".join(f"{tempo:.1f}" for tempo in heard.other_tempos_bpm)
        say(
            f"{heard.name}: {heard.tempo_bpm:.2f} BPM, {heard.meter}, {len(heard.downbeats)} bars, "
            f"swing {heard.swing_percent:.0f}%, {heard.confidence_in_words} "
            f"({heard.confidence:.0%}). Or {others} BPM."
        )
        for section in heard.sections:
            say(f"  {section.role}: {section.bars} bars from {section.start_seconds:.1f} s")
    for warning in heard.warnings:
        say(f"  {warning}")
    return heard.as_dict()
