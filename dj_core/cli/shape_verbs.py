"""The verbs that shape a beat: vary, adjust, continue, fill, humanize, tighten, alive, tap, morph,
song and nearest."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dj_core.cli.verb import AS_PLAYED, Answer, one_of, option, positive, say, verb
from dj_core.errors import BeatError
from dj_core.files.file_names import safe_stem
from dj_core.files.midi import read_beat, save_midi
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.models.request import BeatModel, GenerationRequest
from dj_core.music.as_played import as_played, play_seed
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_name
from dj_core.shaping.attributes import attributes
from dj_core.shaping.chances import alive
from dj_core.shaping.continuing import bars_of, continue_beat
from dj_core.shaping.copy_meter import nearest_in, shipped_fingerprints
from dj_core.shaping.distance import relative_distance
from dj_core.shaping.filling import add_fill, add_fills
from dj_core.shaping.locks import Keep, drums_of
from dj_core.shaping.morphing import looped, morph
from dj_core.shaping.rerolling import drum_to_beat, reroll_all, vary
from dj_core.shaping.sliders import Controls, adjust
from dj_core.shaping.song_form import song, song_from
from dj_core.shaping.tapping import Tap, only, rhythm_of
from dj_core.shaping.tightening import tighten

SLIDERS = ("density", "syncopation", "swing", "loudness", "complexity")
FILE = option("file", type=Path, help="a MIDI file")
KEEP = (
    option("--keep", default="", help="drums or families that stay: kick,snare,hat"),
    option("--keep-bars", default="", help="bars that stay: 1,2"),
    option("--keep-steps", default="", help="16ths of every bar that stay: 1,5,9,13"),
)
OUT = option("--out", type=Path, default=Path(), help="folder for the files")
MODEL = (
    option("--model", help="a groove model by name (default: the shipped one)"),
    option("--genre", help="how it is played (default: as the file says, else any)"),
    option("--seed", type=int, default=1),
    option("--temperature", type=float, default=1.0, help="0 always takes the likeliest"),
)
COUNT = option("--count", type=positive, default=1, help="how many; seeds count up")


def _keep(options: argparse.Namespace) -> Keep:
    return Keep(
        drums=drums_of(_parts(options.keep)),
        bars=_numbers(options.keep_bars, "--keep-bars"),
        steps=_numbers(options.keep_steps, "--keep-steps"),
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str, option: str) -> frozenset[int]:
    parts = _parts(text)
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise BeatError(f"{option} takes whole numbers with commas between; got {text!r}.")
    return frozenset(map(int, parts))


def _model(options: argparse.Namespace) -> BeatModel:
    return load_model(Library.open().model(options.model).folder)


def _beat(path: Path, options: argparse.Namespace) -> Beat:
    """A file as a beat that knows its name, and the genre that was asked for."""
    beat = read_beat(path)
    genre = getattr(options, "genre", None)
    named = replace(beat, title=beat.title or path.stem)
    return named if genre is None else replace(named, genre=genre_name(genre))


def _written(folder: Path, stem: str, beats: Iterable[Beat], **more: object) -> Answer:
    """Write beats into a folder, numbered from 01 on; the answer lists them."""
    files = []
    for number, beat in enumerate(beats, start=1):
        files.append(str(save_midi(beat, folder / f"{stem}-{number:02}.mid")))
        say(files[-1])
    return {"files": files, **more}


def _one_file(path: Path, beat: Beat, **more: object) -> Answer:
    say(str(save_midi(beat, path)))
    return {"files": [str(path)], **more}


# --- the verbs --------------------------------------------------------------------------------


@verb(
    "vary",
    FILE,
    *KEEP,
    *MODEL,
    COUNT,
    OUT,
    option(
        "--ladder",
        action="store_true",
        help="variations from nearly the same to far away (as without --keep)",
    ),
)
def vary_beat(options: argparse.Namespace) -> Answer:
    """Play a beat again around what is kept."""
    model, beat, keep = _model(options), _beat(options.file, options), _keep(options)
    heat = options.temperature
    if options.ladder or keep == Keep():
        ladder = vary(model, beat, options.count, keep, seed=options.seed, temperature=heat)
        beats = [rung.beat for rung in ladder]
    else:
        asked = [(beat, keep, options.seed + number) for number in range(options.count)]
        beats = list(reroll_all(model, asked, temperature=heat))
    away = [round(relative_distance(beat, one), 4) for one in beats]
    return _written(options.out, f"{safe_stem(options.file.stem)}-vary", beats, distances=away)


@verb(
    "adjust",
    FILE,
    *(
        option(f"--{name}", type=float, metavar="-2..2", help="0 is what is usual in the genre")
        for name in SLIDERS
    ),
    *KEEP,
    *MODEL,
    OUT,
)
def adjust_beat(options: argparse.Namespace) -> Answer:
    """Make a beat denser, swing more, and so on."""
    beat = _beat(options.file, options)
    controls = Controls(**{name: getattr(options, name) for name in SLIDERS})
    adjusted = adjust(_model(options), beat, controls, _keep(options), seed=options.seed)
    before, after = (
        {name: round(value, 3) for name, value in attributes(one).as_dict().items()}
        for one in (beat, adjusted)
    )
    path = options.out / f"{safe_stem(options.file.stem)}-adjusted.mid"
    return _one_file(path, adjusted, before=before, after=after)


@verb(
    "continue",
    FILE,
    option("--bars", type=positive, default=4, help="how many to add"),
    option("--from-bar", type=positive, help="take this bar alone as primer"),
    option("--only-new", action="store_true", help="leave the given bars out"),
    *MODEL,
    COUNT,
    OUT,
)
def continue_from(options: argparse.Namespace) -> Answer:
    """Go on from a beat, or from a bar of it."""
    beat = _beat(options.file, options)
    if options.from_bar:
        beat = bars_of(beat, options.from_bar, options.from_bar)
    longer = continue_beat(
        _model(options),
        beat,
        options.bars,
        seed=options.seed,
        temperature=options.temperature,
        count=options.count,
    )
    if options.only_new:
        longer = tuple(bars_of(one, beat.bars + 1, one.bars) for one in longer)
    return _written(options.out, f"{safe_stem(options.file.stem)}-continued", longer)


@verb(
    "fill",
    FILE,
    option("--every-bars", type=int, choices=[4, 8], help="at the end of every phrase"),
    option("--chance", type=float, default=1.0, help="of each of those, 0 to 1"),
    option("--bar", type=positive, help="in this bar alone (default: the last)"),
    option("--half", action="store_true", help="only the bar's second half"),
    option("--no-crash", action="store_true", help="no crash on the one that follows"),
    *MODEL,
    COUNT,
    OUT,
)
def fill_beat(options: argparse.Namespace) -> Answer:
    """End phrases with a fill that leads back to one."""
    model, beat = _model(options), _beat(options.file, options)
    filled = []
    for number in range(options.count):
        more: dict[str, Any] = {
            "half": options.half,
            "crash": not options.no_crash,
            "seed": options.seed + number,
            "temperature": options.temperature,
        }
        if options.every_bars:
            more |= {"every_bars": options.every_bars, "chance": options.chance}
            filled.append(add_fills(model, beat, **more))
        else:
            filled.append(add_fill(model, beat, bar=options.bar, **more))
    return _written(options.out, f"{safe_stem(options.file.stem)}-fill", filled)


@verb(
    "humanize",
    FILE,
    option("out", type=Path, help="the .mid file to write"),
    option("--amount", type=float, default=1.0, help="0 as it is, 1 as played"),
    option("--genre", help="whose feel (default: the file's own, else any)"),
    option("--seed", type=int, default=1, help="another seed, another performance"),
)
def humanize(options: argparse.Namespace) -> Answer:
    """Give a stiff beat a drummer's feel."""
    from dj_core.models.humanizer.humanizer_player import load_humanizer

    genre = None if options.genre is None else genre_name(options.genre)
    beat, seed = read_beat(options.file), options.seed
    played = load_humanizer().humanize(beat, options.amount, genre=genre, seed=seed)
    return _one_file(options.out, played)


@verb(
    "tighten",
    FILE,
    option("out", type=Path, help="the .mid file to write"),
    option("--amount", type=float, default=1.0, help="0 as it is, 1 on the grid"),
    option("--grid", default="16ths", help="16ths, 8ths, triplets, ..."),
    option("--levels", type=float, default=0.0, help="1 evens a drum's levels out"),
)
def tighten_beat(options: argparse.Namespace) -> Answer:
    """Draw strokes to the grid by degree."""
    beat, grid = read_beat(options.file), options.grid
    return _one_file(options.out, tighten(beat, options.amount, grid=grid, levels=options.levels))


@verb(
    "alive",
    FILE,
    option("out", type=Path, help="the .mid file to write"),
    option("--model", help="a groove model by name (default: the shipped one)"),
    option("--amount", type=float, default=1.0, help="0: every hit sounds; 1: as the model says"),
    AS_PLAYED,
)
def make_alive(options: argparse.Namespace) -> Answer:
    """Give every hit the chance that the model gives it."""
    beat = alive(read_beat(options.file), _model(options), options.amount)
    chances = [hit.condition.chance_percent if hit.condition else 100 for hit in beat.hits]
    if options.as_played:
        beat = as_played(beat, options.as_played, play_seed(beat))
    return _one_file(options.out, beat, chances=chances)


@verb(
    "tap",
    one_of(
        option("--taps", help="seconds with commas between: 0,0.52,0.77,1.3"),
        option("--file", type=Path, help="a MIDI file to take drums from"),
        required=True,
    ),
    option("--drum", default="kick", help="what the taps are, or what to take: kick,.."),
    option("--tempo-bpm", type=float, help="what was tapped to (default: found out)"),
    option("--bars", type=positive, help="length (default: as long as the rhythm)"),
    *MODEL,
    COUNT,
    OUT,
)
def tap(options: argparse.Namespace) -> Answer:
    """Make a full beat of a rhythm, or of one drum."""
    rhythm, model = _rhythm(options), _model(options)
    genre = genre_name(options.genre) if options.genre is not None else rhythm.genre
    genre = genre if genre in model.genres or options.genre is not None else ""
    seeds, heat = range(options.seed, options.seed + options.count), options.temperature
    beats = [drum_to_beat(model, rhythm, genre=genre, seed=n, temperature=heat) for n in seeds]
    tempo_bpm = round(rhythm.playing_tempo_bpm, 3)
    return _written(options.out, "tapped", beats, tempo_bpm=tempo_bpm)


def _rhythm(options: argparse.Namespace) -> Beat:
    drums = sorted(drums_of(_parts(options.drum)))
    if options.file:
        rhythm = only(_beat(options.file, options), drums)
        rhythm = rhythm if options.tempo_bpm is None else rhythm.at_tempo(options.tempo_bpm)
        return rhythm if options.bars is None else looped(rhythm, options.bars)
    try:
        times = [float(part) for part in _parts(options.taps)]
    except ValueError as error:
        raise BeatError(
            f"--taps takes seconds with commas between; got {options.taps!r}."
        ) from error
    taps = [Tap(seconds, drum) for seconds in times for drum in drums]
    return rhythm_of(taps, options.tempo_bpm, bars=options.bars)


@verb(
    "morph",
    option("a", type=Path, help="the MIDI file to begin with"),
    option("b", type=Path, help="the MIDI file to end with"),
    option("--steps", type=int, default=8, help="beats in all, both ends included"),
    OUT,
)
def morph_beats(options: argparse.Namespace) -> Answer:
    """Go from one beat to another in steps."""
    a, b = (_beat(path, options) for path in (options.a, options.b))
    bars = max(a.bars, b.bars)  # the shorter one is repeated
    a, b = (beat if beat.bars == bars else looped(beat, bars) for beat in (a, b))
    path = morph(a, b, options.steps)
    return _written(
        options.out,
        f"{safe_stem(options.a.stem)}-to-{safe_stem(options.b.stem)}",
        path,
        distance_from_a=[round(relative_distance(path[0], beat), 5) for beat in path],
        distance_to_b=[round(relative_distance(beat, path[-1]), 5) for beat in path],
    )


@verb(
    "song",
    option("--file", type=Path, help="a MIDI file for the main part (default: a take)"),
    option("--tempo-bpm", type=float),
    option("--form", help="as in intro,main,variation,fill,break,main,outro"),
    option("--phrase-bars", type=int, default=8, choices=[8, 16]),
    *MODEL,
    OUT,
)
def grow_song(options: argparse.Namespace) -> Answer:
    """Grow a song form from one seed or one beat."""
    model, bars = _model(options), options.phrase_bars
    form = tuple(_parts(options.form or ""))
    if options.file:
        beat = _beat(options.file, options)
        made = song_from(model, beat, form=form, phrase_bars=bars, seed=options.seed)
    else:
        request = GenerationRequest(
            genre=genre_name(options.genre or ""),
            tempo_bpm=options.tempo_bpm,
            bars=4,
            temperature=options.temperature,
            seed=options.seed,
        )
        made = song(model, request, form=form, phrase_bars=bars)
    sections = [vars(section) for section in made.sections]
    return _one_file(options.out / f"song-{options.seed}.mid", made.beat, sections=sections)


@verb(
    "nearest",
    FILE,
    option("--corpus", help="compare with an imported corpus, at any distance"),
    timed=False,
)
def nearest_bars(options: argparse.Namespace) -> Answer:
    """Find the nearest training bar of every bar."""
    beat, known = read_beat(options.file), shipped_fingerprints()
    if options.corpus:
        found = nearest_in(Library.open().corpus(options.corpus), beat)
    else:
        found = known.nearest(beat)
    for near in found:
        where = f"{near.distance} cells from {near.file}" if near.file else "nothing near"
        say(f"bar {near.bar}: {where}")
    usual = {"share_within": list(known.usual.within), "median": known.usual.median}
    return {"bars": [vars(near) for near in found], "usual": usual}
