"""The verbs that shape a beat: vary, adjust, continue, fill, humanize, tighten, tap, morph, song
and nearest."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.cli.verb import Answer, Verbs, add_verb, positive, say
from dj_core.library.library import Library
from dj_core.music.beat import Beat
from dj_core.music.genres import genre_name

if TYPE_CHECKING:
    from dj_core.models.request import BeatModel
    from dj_core.shaping.locks import Keep

SLIDERS = ("density", "syncopation", "swing", "loudness", "complexity")


def add_shaping(verbs: Verbs) -> None:
    """All of them."""
    for add in (
        _add_vary, _add_adjust, _add_continue, _add_fill, _add_humanize, _add_tighten, _add_tap,
        _add_morph, _add_song, _add_nearest,
    ):  # fmt: skip
        add(verbs)


# --- what several have ------------------------------------------------------------------------


def _from_file(
    verbs: Verbs, name: str, purpose: str, answer: Callable[[argparse.Namespace], Answer]
) -> argparse.ArgumentParser:
    verb = add_verb(verbs, name, purpose, answer)
    verb.add_argument("file", type=Path, help="a MIDI file")
    return verb


def _add_model(verb: argparse.ArgumentParser, count: bool = True) -> None:
    verb.add_argument("--model", help="a groove model by name (default: the shipped one)")
    verb.add_argument("--genre", help="how it is played (default: as the file says, else any)")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--temperature", type=float, default=1.0, help="0 always takes the likeliest")
    if count:
        verb.add_argument("--count", type=positive, default=1, help="how many; seeds count up")
    verb.add_argument("--out", type=Path, default=Path(), help="folder for the files")


def _add_keep(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--keep", default="", help="drums or families that stay: kick,snare,hat")
    verb.add_argument("--keep-bars", default="", help="bars that stay: 1,2")
    verb.add_argument("--keep-steps", default="", help="16ths of every bar that stay: 1,5,9,13")


def _keep(options: argparse.Namespace) -> Keep:
    from dj_core.shaping.locks import Keep, drums_of

    return Keep(
        drums=drums_of(_parts(options.keep)),
        bars=_numbers(options.keep_bars, "--keep-bars"),
        steps=_numbers(options.keep_steps, "--keep-steps"),
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str, option: str) -> frozenset[int]:
    from dj_core.errors import BeatError

    parts = _parts(text)
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise BeatError(f"{option} takes whole numbers with commas between; got {text!r}.")
    return frozenset(map(int, parts))


def _model(options: argparse.Namespace) -> BeatModel:
    from dj_core.models.families import load_model

    return load_model(Library.open().model(options.model).folder)


def _beat(path: Path, options: argparse.Namespace) -> Beat:
    """A file as a beat that knows its name, and the genre that was asked for."""
    from dj_core.files.midi import read_beat

    beat = read_beat(path)
    genre = getattr(options, "genre", None)
    named = replace(beat, title=beat.title or path.stem)
    return named if genre is None else replace(named, genre=genre_name(genre))


def _answer(
    options: argparse.Namespace, started: float, named: Iterable[tuple[str, Beat]], **more: object
) -> Answer:
    """Write beats into the folder asked for; the answer lists them."""
    from dj_core.files.midi import save_midi

    files = [str(save_midi(beat, options.out / f"{name}.mid")) for name, beat in named]
    for file in files:
        say(file)
    return {"files": files, **more, "seconds": round(time.perf_counter() - started, 3)}


def _stem(path: Path) -> str:
    from dj_core.files.file_names import safe_stem

    return safe_stem(path.stem)


# --- the verbs --------------------------------------------------------------------------------


def _add_vary(verbs: Verbs) -> None:
    verb = _from_file(verbs, "vary", "play a beat again around what is kept", _run_vary)
    _add_keep(verb)
    _add_model(verb)
    verb.add_argument(
        "--ladder",
        action="store_true",
        help="variations from nearly the same to far away (as without --keep)",
    )


def _run_vary(options: argparse.Namespace) -> Answer:
    from dj_core.shaping.distance import relative_distance
    from dj_core.shaping.locks import Keep
    from dj_core.shaping.rerolling import reroll_all, vary

    started = time.perf_counter()
    model, beat, keep = _model(options), _beat(options.file, options), _keep(options)
    if options.ladder or keep == Keep():
        ladder = vary(
            model, beat, options.count, keep, seed=options.seed, temperature=options.temperature
        )
        beats = [rung.beat for rung in ladder]
    else:
        asked = [(beat, keep, options.seed + number) for number in range(options.count)]
        beats = reroll_all(model, asked, temperature=options.temperature)
    named = [(f"{_stem(options.file)}-vary-{n:02}", one) for n, one in enumerate(beats, 1)]
    away = [round(relative_distance(beat, one), 4) for one in beats]
    return _answer(options, started, named, distances=away)


def _add_adjust(verbs: Verbs) -> None:
    verb = _from_file(verbs, "adjust", "make a beat denser, swing more, ...", _run_adjust)
    for name in SLIDERS:
        verb.add_argument(
            f"--{name}", type=float, metavar="-2..2", help="0 is what is usual in the genre"
        )
    _add_keep(verb)
    _add_model(verb, count=False)


def _run_adjust(options: argparse.Namespace) -> Answer:
    from dj_core.shaping.attributes import attributes
    from dj_core.shaping.sliders import Controls, adjust

    started = time.perf_counter()
    beat = _beat(options.file, options)
    controls = Controls(**{name: getattr(options, name) for name in SLIDERS})
    answer = adjust(_model(options), beat, controls, _keep(options), seed=options.seed)
    named = [(f"{_stem(options.file)}-adjusted", answer)]
    return _answer(
        options,
        started,
        named,
        before=_rounded(attributes(beat).as_dict()),
        after=_rounded(attributes(answer).as_dict()),
    )


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def _add_continue(verbs: Verbs) -> None:
    verb = _from_file(verbs, "continue", "go on from a beat, or from a bar of it", _run_continue)
    verb.add_argument("--bars", type=positive, default=4, help="how many to add")
    verb.add_argument("--from-bar", type=positive, help="take this bar alone as primer")
    verb.add_argument("--only-new", action="store_true", help="leave the given bars out")
    _add_model(verb)


def _run_continue(options: argparse.Namespace) -> Answer:
    from dj_core.shaping.continuing import bars_of, continue_beat

    started = time.perf_counter()
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
    named = [(f"{_stem(options.file)}-continued-{n:02}", one) for n, one in enumerate(longer, 1)]
    return _answer(options, started, named)


def _add_fill(verbs: Verbs) -> None:
    verb = _from_file(verbs, "fill", "end phrases with a fill that leads back to one", _run_fill)
    verb.add_argument("--every-bars", type=int, choices=[4, 8], help="at the end of every phrase")
    verb.add_argument("--chance", type=float, default=1.0, help="of each of those, 0 to 1")
    verb.add_argument("--bar", type=positive, help="in this bar alone (default: the last)")
    verb.add_argument("--half", action="store_true", help="only the bar's second half")
    verb.add_argument("--no-crash", action="store_true", help="no crash on the one that follows")
    _add_model(verb)


def _run_fill(options: argparse.Namespace) -> Answer:
    from dj_core.shaping.filling import add_fill, add_fills

    started = time.perf_counter()
    model, beat = _model(options), _beat(options.file, options)
    named = []
    for number in range(options.count):
        more: dict[str, Any] = {
            "half": options.half,
            "crash": not options.no_crash,
            "seed": options.seed + number,
            "temperature": options.temperature,
        }
        if options.every_bars:
            more |= {"every_bars": options.every_bars, "chance": options.chance}
            filled = add_fills(model, beat, **more)
        else:
            filled = add_fill(model, beat, bar=options.bar, **more)
        named.append((f"{_stem(options.file)}-fill-{number + 1:02}", filled))
    return _answer(options, started, named)


def _add_humanize(verbs: Verbs) -> None:
    verb = _from_file(verbs, "humanize", "give a stiff beat a drummer's feel", _run_humanize)
    verb.add_argument("out", type=Path, help="the .mid file to write")
    verb.add_argument("--amount", type=float, default=1.0, help="0 as it is, 1 as played")
    verb.add_argument("--genre", help="whose feel (default: the file's own, else any)")
    verb.add_argument("--seed", type=int, default=1, help="another seed, another performance")


def _run_humanize(options: argparse.Namespace) -> Answer:
    from dj_core.files.midi import read_beat
    from dj_core.models.humanizer.humanizer_player import load_humanizer

    started = time.perf_counter()
    genre = None if options.genre is None else genre_name(options.genre)
    beat = load_humanizer().humanize(
        read_beat(options.file), options.amount, genre=genre, seed=options.seed
    )
    return _one_file(options.out, beat, started)


def _one_file(path: Path, beat: Beat, started: float) -> Answer:
    from dj_core.files.midi import save_midi

    say(str(save_midi(beat, path)))
    return {"files": [str(path)], "seconds": round(time.perf_counter() - started, 3)}


def _add_tighten(verbs: Verbs) -> None:
    verb = _from_file(verbs, "tighten", "draw strokes to the grid by degree", _run_tighten)
    verb.add_argument("out", type=Path, help="the .mid file to write")
    verb.add_argument("--amount", type=float, default=1.0, help="0 as it is, 1 on the grid")
    verb.add_argument("--grid", default="16ths", help="16ths, 8ths, triplets, ...")
    verb.add_argument("--levels", type=float, default=0.0, help="1 evens a drum's levels out")


def _run_tighten(options: argparse.Namespace) -> Answer:
    from dj_core.files.midi import read_beat
    from dj_core.shaping.tightening import tighten

    started = time.perf_counter()
    beat = tighten(
        read_beat(options.file), options.amount, grid=options.grid, levels=options.levels
    )
    return _one_file(options.out, beat, started)


def _add_tap(verbs: Verbs) -> None:
    verb = add_verb(verbs, "tap", "make a full beat of a rhythm, or of one drum", _run_tap)
    source = verb.add_mutually_exclusive_group(required=True)
    source.add_argument("--taps", help="seconds with commas between: 0,0.52,0.77,1.3")
    source.add_argument("--file", type=Path, help="a MIDI file to take drums from")
    verb.add_argument("--drum", default="kick", help="what the taps are, or what to take: kick,..")
    verb.add_argument("--tempo-bpm", type=float, help="what was tapped to (default: found out)")
    verb.add_argument("--bars", type=positive, help="length (default: as long as the rhythm)")
    _add_model(verb)


def _run_tap(options: argparse.Namespace) -> Answer:
    from dj_core.shaping.rerolling import drum_to_beat

    started = time.perf_counter()
    rhythm, model = _rhythm(options), _model(options)
    genre = genre_name(options.genre) if options.genre is not None else rhythm.genre
    genre = genre if genre in model.genres or options.genre is not None else ""
    named = []
    for number in range(options.count):
        beat = drum_to_beat(
            model,
            rhythm,
            genre=genre,
            seed=options.seed + number,
            temperature=options.temperature,
        )
        named.append((f"tapped-{number + 1:02}", beat))
    return _answer(options, started, named, tempo_bpm=round(rhythm.playing_tempo_bpm, 3))


def _rhythm(options: argparse.Namespace) -> Beat:
    from dj_core.errors import BeatError
    from dj_core.shaping.locks import drums_of
    from dj_core.shaping.morphing import looped
    from dj_core.shaping.tapping import Tap, only, rhythm_of

    drums = sorted(drums_of(_parts(options.drum)))
    if options.file:
        rhythm = only(_beat(options.file, options), drums)
        rhythm = rhythm if options.tempo_bpm is None else rhythm.at_tempo(options.tempo_bpm)
        return rhythm if options.bars is None else looped(rhythm, options.bars)
    try:
        times = [float(part) for part in _parts(options.taps)]
    except ValueError as error:
        raise BeatError(f"--taps takes seconds with commas between; got {options.taps!r}.") from (
            error
        )
    taps = [Tap(seconds, drum) for seconds in times for drum in drums]
    return rhythm_of(taps, options.tempo_bpm, bars=options.bars)


def _add_morph(verbs: Verbs) -> None:
    verb = add_verb(verbs, "morph", "go from one beat to another in steps", _run_morph)
    verb.add_argument("a", type=Path, help="the MIDI file to begin with")
    verb.add_argument("b", type=Path, help="the MIDI file to end with")
    verb.add_argument("--steps", type=int, default=8, help="beats in all, both ends included")
    verb.add_argument("--out", type=Path, default=Path(), help="folder for the files")


def _run_morph(options: argparse.Namespace) -> Answer:
    from dj_core.files.midi import read_beat
    from dj_core.shaping.distance import relative_distance
    from dj_core.shaping.morphing import looped, morph

    started = time.perf_counter()
    a, b = (replace(beat, title=beat.title or path.stem)
            for path in (options.a, options.b) for beat in [read_beat(path)])  # fmt: skip
    bars = max(a.bars, b.bars)  # the shorter one is repeated
    a, b = (beat if beat.bars == bars else looped(beat, bars) for beat in (a, b))
    path = morph(a, b, options.steps)
    stem = f"{_stem(options.a)}-to-{_stem(options.b)}"
    named = [(f"{stem}-{number:02}", beat) for number, beat in enumerate(path, 1)]
    return _answer(
        options,
        started,
        named,
        distance_from_a=[round(relative_distance(path[0], beat), 5) for beat in path],
        distance_to_b=[round(relative_distance(beat, path[-1]), 5) for beat in path],
    )


def _add_song(verbs: Verbs) -> None:
    verb = add_verb(verbs, "song", "grow a song form from one seed or one beat", _run_song)
    verb.add_argument("--file", type=Path, help="a MIDI file for the main part (default: a take)")
    verb.add_argument("--tempo-bpm", type=float)
    verb.add_argument("--form", help="as in intro,main,variation,fill,break,main,outro")
    verb.add_argument("--phrase-bars", type=int, default=8, choices=[8, 16])
    _add_model(verb, count=False)


def _run_song(options: argparse.Namespace) -> Answer:
    from dj_core.models.request import GenerationRequest
    from dj_core.shaping.song_form import song, song_from

    started = time.perf_counter()
    model = _model(options)
    form = tuple(_parts(options.form)) if options.form else ()
    if options.file:
        made = song_from(
            model,
            _beat(options.file, options),
            form=form,
            phrase_bars=options.phrase_bars,
            seed=options.seed,
        )
    else:
        request = GenerationRequest(
            genre=genre_name(options.genre or ""),
            tempo_bpm=options.tempo_bpm,
            bars=4,
            temperature=options.temperature,
            seed=options.seed,
        )
        made = song(model, request, form=form, phrase_bars=options.phrase_bars)
    sections = [vars(section) for section in made.sections]
    named = [(f"song-{options.seed}", made.beat)]
    return _answer(options, started, named, sections=sections)


def _add_nearest(verbs: Verbs) -> None:
    verb = _from_file(verbs, "nearest", "find the nearest training bar of every bar", _run_nearest)
    verb.add_argument("--corpus", help="compare with an imported corpus, at any distance")


def _run_nearest(options: argparse.Namespace) -> Answer:
    from dj_core.files.midi import read_beat
    from dj_core.shaping.copy_meter import nearest_in, shipped_fingerprints

    beat = read_beat(options.file)
    known = shipped_fingerprints()
    if options.corpus:
        found = nearest_in(Library.open().corpus(options.corpus), beat)
    else:
        found = known.nearest(beat)
    for near in found:
        where = f"{near.distance} cells from {near.file}" if near.file else "nothing near"
        say(f"bar {near.bar}: {where}")
    usual = known.usual
    return {
        "bars": [vars(near) for near in found],
        "usual": {"share_within": list(usual.within), "median": usual.median},
    }
