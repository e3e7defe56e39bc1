"""The verbs render and check-loop, and one-shots: beats and kits as sound files."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from dj_core.cli.verb import AS_PLAYED, KIT, LUFS, Answer, ProgressBar, option, say, verb
from dj_core.errors import BeatError, SoundError
from dj_core.files.beat_json import parse_json
from dj_core.files.midi import read_beat
from dj_core.files.storage import write_bytes_atomic
from dj_core.music.as_played import as_played, play_seed
from dj_core.sound.loop_check import check_loop
from dj_core.sound.loop_files import (
    BITS,
    SAMPLE_RATES,
    Container,
    LoopSettings,
    Normalise,
    one_shot_files,
    save_loop,
)
from dj_core.sound.mixer_table import NEUTRAL, PRESETS, Mixer

_ENDINGS: dict[str, Container] = {".wav": "wav", ".aif": "aiff", ".aiff": "aiff", ".flac": "flac"}
_SAMPLES = (
    option("--rate", type=int, choices=SAMPLE_RATES, default=SAMPLE_RATES[0]),
    option("--bits", type=int, choices=BITS, default=BITS[0]),
)


@verb(
    "render",
    option("file", type=Path),
    option("--out", type=Path, required=True, help="the file to write; .wav, .aiff or .flac"),
    *KIT,
    option("--tempo-bpm", type=float, help="play at another tempo"),
    AS_PLAYED,
    option("--loop", action="store_true", help="a seamless loop with loop points"),
    option("--stems", action="store_true", help="also a file for each drum family, beside the mix"),
    option("--format", choices=get_args(Container), help="default: by --out's ending"),
    *_SAMPLES,
    option(
        "--normalise",
        choices=get_args(Normalise),
        default="loudness",
        help="to --lufs (default), to a peak of -1 dB, or not at all",
    ),
    LUFS,
    option("--mixer", help='a preset, or JSON as {"kick": {"drive": 0.2}}'),
    timed=False,
)
def render(options: argparse.Namespace) -> Answer:
    """Play a MIDI file into a sound file."""
    beat = read_beat(options.file)
    if options.tempo_bpm is not None:
        beat = beat.at_tempo(options.tempo_bpm)
    if options.as_played:
        beat = as_played(beat, options.as_played, play_seed(beat))
    container = options.format or _ENDINGS.get(options.out.suffix.lower())
    if container is None:
        raise SoundError(
            f"{options.out.name} has no ending that names a format. End it in .wav, .aiff or "
            ".flac, or add --format."
        )
    settings = LoopSettings(
        kit=options.kit,
        soundfont=options.soundfont,
        container=container,
        sample_rate=options.rate,
        bits=options.bits,
        normalise=options.normalise,
        loop=options.loop,
        target_lufs=options.lufs,
        mixer=_mixer(options.mixer),
    )
    with ProgressBar("Rendering", "file"):
        paths = save_loop(beat, options.out, settings, stems=options.stems)
    check = check_loop(paths[0])
    say(f"{paths[0]}: {check.words}")
    for path in paths[1:]:
        say(f"  {path}")
    for problem in check.problems if options.loop else ():
        say(f"  {problem}")
    return {
        "file": str(paths[0]),
        "stems": [str(path) for path in paths[1:]],
        "frames": check.frames,
        "sample_rate": check.sample_rate,
        "bits": check.bits,
        "peak_dbfs": round(check.peak_dbfs, 2),
        "true_peak_dbtp": round(check.true_peak_dbtp, 2),
        "loudness_lufs": round(check.loudness_lufs, 2),
        "exact": check.exact if options.loop else None,
        "problems": list(check.problems) if options.loop else [],
    }


def _mixer(text: str | None) -> Mixer:
    """A preset by its name, else a mixer as JSON. Raises SoundError."""
    if text is None:
        return NEUTRAL
    if text in PRESETS:
        return PRESETS[text].mixer
    try:
        return Mixer.from_json(parse_json(text))
    except BeatError as error:
        raise SoundError(
            f"--mixer is a preset or JSON; got {text[:40]!r}. Presets: {', '.join(PRESETS)}."
        ) from error


@verb(
    "check-loop",
    option("files", type=Path, nargs="+", help="WAV, AIFF or FLAC files"),
    timed=False,
)
def check_loops(options: argparse.Namespace) -> Answer:
    """Measure loops: length, tempo, seam."""
    loops = []
    for file in options.files:
        check = check_loop(file)
        say(f"{file}: {check.words}")
        for problem in check.problems:
            say(f"  {problem}")
        loops.append({"file": str(file), **asdict(check), "exact": check.exact})
    return {"loops": loops, "exact": all(loop["exact"] for loop in loops)}


@verb(
    "one-shots",
    *KIT,
    option("--out", type=Path, required=True, help="folder for the files"),
    option("--format", choices=get_args(Container), default="wav"),
    *_SAMPLES,
    timed=False,
)
def one_shots(options: argparse.Namespace) -> Answer:
    """Write a kit's drums one by one."""
    settings = LoopSettings(
        kit=options.kit,
        soundfont=options.soundfont,
        container=options.format,
        sample_rate=options.rate,
        bits=options.bits,
        loop=False,
    )
    files = []
    for name, content in one_shot_files(options.kit, settings):
        files.append(str(write_bytes_atomic(options.out / name, content)))
        say(files[-1])
    return {"files": files}
