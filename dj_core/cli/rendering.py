"""The verbs render and check-loop, and one-shots: beats and kits as sound files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from dj_core.cli.verb import Answer, ProgressBar, Verbs, add_verb, say
from dj_core.errors import SoundError
from dj_core.music.beat import Beat

if TYPE_CHECKING:
    from dj_core.sound.loop_files import Container, LoopSettings

_ENDINGS: dict[str, Container] = {".wav": "wav", ".aif": "aiff", ".aiff": "aiff", ".flac": "flac"}


def add_render(verbs: Verbs) -> None:
    """The verb and its options."""
    from dj_core.sound.loop_files import BITS, SAMPLE_RATES, Container, Normalise

    verb = add_verb(verbs, "render", "play a MIDI file into a sound file", _run_render)
    verb.add_argument("file", type=Path)
    verb.add_argument(
        "--out", type=Path, required=True, help="the file to write; .wav, .aiff or .flac"
    )
    verb.add_argument("--kit", default="standard", help="as in tr-808")
    verb.add_argument("--soundfont", type=Path, help="an .sf2 file (default: the best one found)")
    verb.add_argument("--tempo-bpm", type=float, help="play at another tempo")
    verb.add_argument("--loop", action="store_true", help="a seamless loop with loop points")
    verb.add_argument(
        "--stems", action="store_true", help="also a file for each drum family, beside the mix"
    )
    verb.add_argument("--format", choices=get_args(Container), help="default: by --out's ending")
    verb.add_argument("--rate", type=int, choices=SAMPLE_RATES, default=SAMPLE_RATES[0])
    verb.add_argument("--bits", type=int, choices=BITS, default=BITS[0])
    verb.add_argument(
        "--normalise",
        choices=get_args(Normalise),
        default="loudness",
        help="to -20 LUFS (default), to a peak of -1 dB, or not at all",
    )


def _run_render(options: argparse.Namespace) -> Answer:
    from dj_core.files.midi import read_beat
    from dj_core.sound.loop_check import check_loop
    from dj_core.sound.loop_files import save_loop

    beat: Beat = read_beat(options.file)
    if options.tempo_bpm is not None:
        beat = beat.at_tempo(options.tempo_bpm)
    with ProgressBar("Rendering", "file"):
        paths = save_loop(beat, options.out, _settings(options), stems=options.stems)
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


def add_check_loop(verbs: Verbs) -> None:
    """The verb and its options."""
    verb = add_verb(verbs, "check-loop", "measure loops: length, tempo, seam", _run_check_loop)
    verb.add_argument("files", type=Path, nargs="+", help="WAV, AIFF or FLAC files")


def _run_check_loop(options: argparse.Namespace) -> Answer:
    from dataclasses import asdict

    from dj_core.sound.loop_check import check_loop

    loops = []
    for file in options.files:
        check = check_loop(file)
        say(f"{file}: {check.words}")
        for problem in check.problems:
            say(f"  {problem}")
        loops.append({"file": str(file), **asdict(check), "exact": check.exact})
    return {"loops": loops, "exact": all(loop["exact"] for loop in loops)}


def add_one_shots(verbs: Verbs) -> None:
    """The verb and its options."""
    from dj_core.sound.loop_files import BITS, SAMPLE_RATES, Container

    verb = add_verb(verbs, "one-shots", "write a kit's drums one by one", _run_one_shots)
    verb.add_argument("--kit", default="standard", help="as in tr-808")
    verb.add_argument("--soundfont", type=Path, help="an .sf2 file (default: the best one found)")
    verb.add_argument("--out", type=Path, required=True, help="folder for the files")
    verb.add_argument("--format", choices=get_args(Container), default="wav")
    verb.add_argument("--rate", type=int, choices=SAMPLE_RATES, default=SAMPLE_RATES[0])
    verb.add_argument("--bits", type=int, choices=BITS, default=BITS[0])


def _run_one_shots(options: argparse.Namespace) -> Answer:
    from dj_core.files.storage import write_bytes_atomic
    from dj_core.sound.loop_files import LoopSettings, one_shot_files

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


def _settings(options: argparse.Namespace) -> LoopSettings:
    from dj_core.sound.loop_files import LoopSettings

    container = options.format or _ENDINGS.get(options.out.suffix.lower())
    if container is None:
        raise SoundError(
            f"{options.out.name} has no ending that names a format. End it in .wav, .aiff or "
            ".flac, or add --format."
        )
    return LoopSettings(
        kit=options.kit,
        soundfont=options.soundfont,
        container=container,
        sample_rate=options.rate,
        bits=options.bits,
        normalise=options.normalise,
        loop=options.loop,
    )
