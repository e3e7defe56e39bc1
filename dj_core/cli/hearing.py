"""The verbs listen, like, transcribe and match: what is heard in a track, and drums like it."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from dj_core.cli.verb import Answer, meter, option, positive, say, verb
from dj_core.errors import SoundError
from dj_core.files.file_names import counted
from dj_core.files.midi import save_midi
from dj_core.music.beat import Meter
from dj_core.music.drums import DRUM
from dj_core.music.genres import GENRE, genre_name


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


@verb(
    "match",
    option("file", type=Path, help="a track or loop, as for listen"),
    option("--out", type=Path, required=True, help="folder for the files"),
    option("--genre", default="", help="a style (default: the nearest)"),
    option("--count", type=positive, default=4, help="how many takes (default 4)"),
    option("--bars", type=positive, default=8, help="length of a take (default 8)"),
    option("--seed", type=int, default=1),
    option("--around", action="store_true", help="leave out what the track has already"),
    option("--kit", help="as `kits` lists it (default: the style's usual one)"),
    option("--model", help="a groove model by name (default: the shipped one)"),
)
def match(options: argparse.Namespace) -> Answer:
    """Write drums that fit a track: loops, and a file of its length."""
    from dj_core.library.library import Library
    from dj_core.listening.listening import listen as hear
    from dj_core.matching.match_files import save_matches
    from dj_core.matching.takes_for_track import takes_for
    from dj_core.models.families import load_model

    heard = hear(options.file)
    model = load_model(Library.open().model(options.model).folder)
    matches = takes_for(
        heard,
        model,
        genre=genre_name(options.genre),
        count=options.count,
        seed=options.seed,
        bars=options.bars,
        around=options.around,
    )
    genre = matches[0].beat.genre
    kit = options.kit or (GENRE[genre].kit if genre in GENRE else "standard")
    paths = save_matches(heard, matches, options.out, kit)
    say(f"{heard.name}: {heard.tempo_bpm:.2f} BPM, {heard.confidence_in_words}; {genre}.")
    for number, found in enumerate(matches, start=1):
        say(f"  take {number}: {found.likeness.total:.0%} alike, {len(found.beat.hits)} hits")
    for warning in heard.warnings:
        say(f"  {warning}")
    return {
        "files": [str(path) for path in paths],
        "tempo_bpm": heard.tempo_bpm,
        "genre": genre,
        "kit": kit,
        "swing_percent": round(heard.swing_percent, 2),
        "first_downbeat_seconds": heard.downbeats[0] if heard.downbeats else None,
        "likeness": [found.likeness.total for found in matches],
        "likeness_parts": [asdict(found.likeness) for found in matches],
        "confidence": round(heard.confidence, 3),
        "warnings": list(heard.warnings),
    }


@verb(
    "transcribe",
    option("audio", type=Path, help="a drum loop: WAV, AIFF, FLAC, OGG or MP3, up to five minutes"),
    option("--out", type=Path, required=True, help="the MIDI file to write"),
    option("--tempo", type=float, help="in BPM (default: found out)"),
    option("--meter", type=meter, default=Meter(), help="of its bars (default 4/4)"),
)
def transcribe_file(options: argparse.Namespace) -> Answer:
    """Write the drums of a sound file as MIDI."""
    from dj_core.listening.transcribing import transcribe

    try:
        content = options.audio.read_bytes()
    except OSError as error:
        raise SoundError(f"{options.audio} cannot be read: {error.strerror}.") from error
    heard = transcribe(
        content, name=options.audio.name, tempo_bpm=options.tempo, meter=options.meter
    )
    beat = heard.beat
    save_midi(beat, options.out)
    counts = Counter(hit.drum.name for hit in beat.hits)
    drums = {name: counts[name] for name in DRUM if counts[name]}
    say(f"{options.out}: {beat.playing_tempo_bpm:.2f} BPM, {counted(beat.bars, 'bar')}")
    for name, count in drums.items():
        say(f"  {count:6,}  {DRUM[name].label}")
    for sentence in heard.warnings:
        say(f"  ! {sentence}")
    return {
        "file": str(options.out),
        "tempo_bpm": beat.playing_tempo_bpm,
        "tempo_from": heard.tempo_from,
        "other_tempos_bpm": list(heard.other_tempos_bpm),
        "meter": str(beat.meter),
        "bars": beat.bars,
        "hits": len(beat.hits),
        "drums": drums,
        "confidence": round(heard.confidence, 3),
        "warnings": list(heard.warnings),
    }


@verb(
    "like",
    option("file", type=Path, help="a MIDI file, or a loop or track as for listen"),
    option("--corpus", help="one collection by name (default: all of them, and the crate)"),
    option("--count", type=positive, default=8, help="how many (default 8)"),
)
def like(options: argparse.Namespace) -> Answer:
    """Find beats in the crate and the collections that sound like a file."""
    from itertools import chain

    from dj_core.corpus.search import catalogue_of
    from dj_core.corpus.sources import is_sound
    from dj_core.files.midi import read_beat
    from dj_core.library.kept_beats import Crate
    from dj_core.library.library import Library
    from dj_core.listening.listening import listen as hear
    from dj_core.music.traits import usual_name
    from dj_core.taste import search_by_ear as ear

    library, beat = Library.open(), None
    if is_sound(options.file.name):
        heard = hear(options.file)
        if heard.groove is None:
            raise SoundError(f"No beat was found in {heard.name}. Try a longer piece of it.")
        sound = ear.sound_of_template(heard.groove)
    else:
        beat = read_beat(options.file)
        sound = ear.sound_of_beat(beat)
    corpora = [library.corpus(options.corpus)] if options.corpus else library.corpora()
    most = ear.MOST_COMPARED if beat else ear.MOST_OF_SOUND
    files = (ear.in_collection(catalogue_of(corpus), beat, most=most) for corpus in corpora)
    mine = () if options.corpus else ear.in_crate(Crate.open())
    found = ear.nearest(sound, chain(mine, *files), options.count)
    for one in found:
        say(f"  {one.likeness:4.0%}  {one.name or usual_name(one.beat)} ({one.where})")
    return {
        "file": str(options.file),
        "found": [
            {
                "name": one.name or usual_name(one.beat),
                "where": one.where,
                "file": one.beat.provenance.source,
                "likeness": round(one.likeness, 4),
            }
            for one in found
        ],
    }
