"""The verb render."""

from __future__ import annotations

import argparse
from pathlib import Path

from dj_core.beat import Beat
from dj_core.cli.verb import Answer, Verbs, add_verb, say


def add_render(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "render", "play a MIDI file into a WAV file", _run_render)
    verb.add_argument("file", type=Path)
    verb.add_argument("--out", type=Path, required=True, help="the .wav file to write")
    verb.add_argument("--kit", default="standard", help="as in tr-808; see docs/sound.md")
    verb.add_argument("--soundfont", type=Path, help="an .sf2 file (default: the best one found)")
    verb.add_argument("--tempo-bpm", type=float, help="play at another tempo")
    verb.add_argument("--loop", action="store_true", help="wrap the last hits' tails to the start")


def _run_render(options: argparse.Namespace) -> Answer:
    from dj_core.midi import read_midi
    from dj_core.render import peak_dbfs, render, save_wav

    beat: Beat = read_midi(options.file)
    if options.tempo_bpm is not None:
        beat = beat.at_tempo(options.tempo_bpm)
    audio = render(beat, options.kit, soundfont=options.soundfont, loop=options.loop)
    save_wav(audio, options.out)
    say(f"{options.out}: {beat.bars} bars, {beat.duration_seconds:.2f} s")
    return {
        "file": str(options.out),
        "frames": len(audio.samples),
        "sample_rate": audio.sample_rate,
        "peak_dbfs": round(peak_dbfs(audio), 2),
    }
