"""The verb generate."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.cli.verb import (
    AS_PLAYED,
    Answer,
    ProgressBar,
    group,
    meter,
    one_of,
    option,
    positive,
    say,
    verb,
)
from dj_core.errors import GenerationError
from dj_core.library.library import DEFAULT_NOTES_MODEL, Library
from dj_core.music.as_played import as_played, play_seed
from dj_core.music.beat import Meter
from dj_core.music.genres import ROLES, genre_name

if TYPE_CHECKING:
    from dj_core.models.request import BeatModel, GenerationRequest, Take

DEFAULT_BARS = 8  # a whole phrase
TAKES_AT_ONCE = 32  # played side by side, then written; a take is the same in any company


@verb(
    "generate",
    option("--model", help="a model by name (default: the shipped one)"),
    option("--genre", default=""),
    option("--tempo-bpm", type=float),
    one_of(
        option("--bars", type=int, help="length in bars (default 8)"),
        option("--notes", type=int, help="length in notes, chords and rests"),
    ),
    option("--meter", type=meter, default=Meter(), help="as in 4/4"),
    option("--temperature", type=float, default=1.0, help="0 always takes the likeliest"),
    option("--top-p", type=float, default=1.0),
    option("--seed", type=int, default=1),
    option("--count", type=positive, default=1, help="how many, all different; seeds count up"),
    option("--start", type=Path, help="begin with the first note of this MIDI file"),
    option("--start-note", help="begin with this note or chord, as in 'C2 F#2'"),
    option(
        "--spacing",
        choices=["learned", "fixed"],
        help="rhythm as learned, or half a quarter a note as in the paper",
    ),
    group(
        "feel",
        "for models that play as drummers do",
        option("--kind", choices=["beat", "fill", "any"], default="beat"),
        option("--role", choices=ROLES, default="", help="what it is for in a track"),
        option("--energy", type=int, default=0, help="1 least to 5 most; 0 for any"),
        option("--density", type=int, default=0, help="1 sparse to 4 dense; 0 for any"),
        option("--loudness", type=int, default=0, help="1 soft to 4 loud; 0 for any"),
        option(
            "--feel",
            type=float,
            default=1.0,
            help="how freely dynamics and timing are played: 0 even and tight, 1 as learned",
        ),
        option("--hits", type=float, default=1.0, help="temperature of the pattern alone"),
        option(
            "--velocity",
            type=float,
            default=1.0,
            help="temperature of dynamics alone, times --feel",
        ),
        option(
            "--timing", type=float, default=1.0, help="temperature of timing alone, times --feel"
        ),
    ),
    AS_PLAYED,
    option("--as-in-corpus", action="store_true", help="keep the corpus's note numbers"),
    option("--out", type=Path, required=True, help="folder for the files"),
)
def generate(options: argparse.Namespace) -> Answer:
    """Write beats as MIDI files."""
    from dj_core.files.file_names import beat_stem
    from dj_core.files.midi import save_midi
    from dj_core.models.families import load_model
    from dj_core.models.request import Feel, GenerationRequest

    start_note = options.start_note
    if options.start and not start_note:
        from dj_core.corpus.note_strings import REST, read_note_events

        names = (event.name for event in read_note_events(options.start))
        start_note = next((name for name in names if name != REST), None)
        if not start_note:
            raise GenerationError(
                f"{options.start.name} holds no note to start on. Choose another file."
            )
    request = GenerationRequest(
        genre=genre_name(options.genre),
        tempo_bpm=options.tempo_bpm,
        meter=options.meter,
        bars=DEFAULT_BARS if options.bars is None and options.notes is None else options.bars,
        notes=options.notes,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        start_note=start_note,
        spacing=options.spacing,
        feel=Feel(
            kind="" if options.kind == "any" else options.kind,
            role=options.role,
            energy=options.energy,
            density=options.density,
            loudness=options.loudness,
            hits=options.hits,
            velocity=options.feel * options.velocity,
            timing=options.feel * options.timing,
        ),
    )
    note_by_note = options.notes or options.start or options.start_note or options.spacing
    name = options.model or (DEFAULT_NOTES_MODEL if note_by_note else None)
    model = load_model(Library.open().model(name).folder)
    choice = "as-in-corpus" if options.as_in_corpus else "general-midi"
    files: list[str] = []
    distinct: list[int] = []
    with ProgressBar("Generating", "beat") as bar:
        for take in _different_takes(model, request, options.count):
            beat = take.beat
            if options.as_played:
                beat = as_played(beat, options.as_played, play_seed(beat))
            path = options.out / f"{beat_stem(take.beat)}.mid"
            files.append(str(save_midi(beat, path, choice)))
            distinct.append(take.distinct_notes)
            bar.show(len(files), options.count)
    for file in files:
        say(file)
    return {"model": model.name, "files": files, "distinct_notes": distinct}


def _different_takes(model: BeatModel, request: GenerationRequest, count: int) -> Iterator[Take]:
    """`count` takes as the seed counts up, played side by side.

    A take that was there before is left out, and a seed more is asked; a model that knows no other
    (at a temperature of 0, say) repeats itself after `count` of them.
    """
    from dj_core.models.request import with_style_drawn

    heard: set[tuple[object, ...]] = set()
    made, spare, seed = 0, count, request.seed
    while made < count:
        seeds = range(seed, seed + min(count - made, TAKES_AT_ONCE))
        seed = seeds.stop
        for take in model.generate_all(
            [with_style_drawn(replace(request, seed=number), model.genres) for number in seeds]
        ):
            music = (take.beat.hits, take.beat.bars)
            if music in heard and spare:
                spare -= 1
                continue
            heard.add(music)
            made += 1
            yield take
