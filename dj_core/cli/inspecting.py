"""The verb inspect: what the app makes of one MIDI file."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from dj_core.cli.verb import Answer, option, say, verb
from dj_core.files.file_names import counted
from dj_core.files.midi import read_midi_report
from dj_core.music.drum_maps import DRUM_MAPS
from dj_core.music.drums import DRUM


@verb(
    "inspect",
    option("file", type=Path, help="a MIDI file of any program"),
    option(
        "--drum-map",
        choices=list(DRUM_MAPS),
        help="how note numbers become drums (default: found out from the file)",
    ),
    timed=False,
)
def inspect(options: argparse.Namespace) -> Answer:
    """Show what is made of one MIDI file."""
    reading = read_midi_report(options.file, options.drum_map)
    beat, warnings = reading.beat, [*reading.warnings]
    if beat.tempo_bpm is None:
        warnings.append(f"The file says no tempo: it plays at {beat.playing_tempo_bpm:g} BPM.")
    drums = Counter(hit.drum.name for hit in beat.hits)
    unnamed = {name: known.unnamed(reading.note_counts) for name, known in DRUM_MAPS.items()}
    say(f"{options.file.name}")
    say(f"  {beat.playing_tempo_bpm:g} BPM, {beat.meter}, {counted(beat.bars, 'bar')}")
    say(f"  {counted(len(beat.hits), 'hit')}, read as {DRUM_MAPS[reading.drum_map].label}")
    for name, count in drums.most_common():
        say(f"    {count:6,}  {DRUM[name].label}")
    if reading.notes_left_out:
        say(f"  {counted(reading.notes_left_out, 'note')} left out")
    for sentence in warnings:
        say(f"  ! {sentence}")
    if reading.oddities:
        odd = ", ".join(f"{kind} ({count:,})" for kind, count in reading.oddities.items())
        say(f"  odd in the file: {odd}")
    return {
        "file": str(options.file),
        "tempo_bpm": beat.playing_tempo_bpm,
        "meter": str(beat.meter),
        "bars": beat.bars,
        "hits": len(beat.hits),
        "drums": {name: drums[name] for name in DRUM if drums[name]},
        "drum_map": reading.drum_map,
        "notes_left_out": reading.notes_left_out,
        "warnings": warnings,
        "oddities": reading.oddities,
        "hits_without_a_drum": unnamed,
    }
