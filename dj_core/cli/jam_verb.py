"""The verb jam."""

from __future__ import annotations

import argparse
from pathlib import Path

from dj_core.cli.verb import Answer, ProgressBar, option, say, verb
from dj_core.errors import GenerationError
from dj_core.files.midi import save_midi
from dj_core.library.library import Library
from dj_core.live.performance import CURVES, FADERS, JamPlan, Move, as_set, bars_for, curve, perform
from dj_core.models.families import load_model
from dj_core.music.beat import DEFAULT_TEMPO_BPM
from dj_core.music.genres import GENRE, genre_name, typical_tempo_bpm
from dj_core.sets.mixdown import Mixdown, save_mix
from dj_core.sets.saved_sets import SUFFIX, save_set


@verb(
    "jam",
    option("--genre", required=True, help="the style"),
    option("--other", default="", help="a second style, that the fader `style` goes to"),
    option("--minutes", type=float, required=True),
    option("--out", type=Path, required=True, help="folder for the files"),
    option(
        "--energy",
        default="waves",
        help=f"{', '.join(CURVES)}, or numbers of 0 to 1 with commas between (default waves)",
    ),
    option(
        "--move",
        action="append",
        default=[],
        metavar="BAR:FADER=VALUE",
        help=f"a fader at a bar, as in 33:brightness=.8 ({', '.join(FADERS)}); may be repeated",
    ),
    option("--tempo-bpm", type=float, help="(default: the style's usual one)"),
    option("--seed", type=int, default=1),
    option("--model", help="a groove model by name (default: the shipped one)"),
    option("--kit", default="", help="as `kits` lists it (default: the style's usual one)"),
    option("--soundfont", type=Path, help="an .sf2 file (default: the best one found)"),
)
def jam(options: argparse.Namespace) -> Answer:
    """Perform a jam that follows an energy curve."""
    genres = tuple(genre_name(name) for name in (options.genre, options.other) if name)
    tempo_bpm = (
        options.tempo_bpm or typical_tempo_bpm(genre_name(options.genre)) or DEFAULT_TEMPO_BPM
    )
    bars = bars_for(options.minutes, tempo_bpm)
    plan = JamPlan(
        genres,
        bars,
        curve(options.energy, bars),
        tuple(map(_move, options.move)),
        options.seed,
        options.tempo_bpm,
    )
    with ProgressBar("jam", "phrase") as bar:
        done = perform(load_model(Library.open().model(options.model).folder), plan, bar.show)
    kit = options.kit or GENRE[genres[0]].kit
    files = [save_midi(done.beat, options.out / "jam.mid")]
    files.append(save_set(as_set(done.beat), options.out / f"jam{SUFFIX}"))
    mixdown = Mixdown(as_set(done.beat, most_tracks=1), kit, options.soundfont)
    with ProgressBar("sound", "bar") as bar:
        files.append(save_mix(mixdown, options.out / "jam.wav", bar.show))
    for file in files:
        say(str(file))
    return {
        "files": [str(file) for file in files],
        "bars": done.beat.bars,
        "tempo_bpm": done.beat.playing_tempo_bpm,
        "events": [dict(event) for event in done.events],
    }


def _move(text: str) -> Move:
    """BAR:FADER=VALUE. Raises GenerationError."""
    bar, _, rest = text.partition(":")
    fader, _, value = rest.partition("=")
    try:
        return Move(int(bar), fader, float(value))
    except ValueError as error:
        raise GenerationError(
            f"--move is written BAR:FADER=VALUE, as in 33:energy=.8; got {text!r}."
        ) from error
