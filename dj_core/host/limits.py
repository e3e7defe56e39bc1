"""Every limit on files, requests and uploads, with the variables that change them.

A host changes one by an environment variable named after it, `DIGITAL_DJ_LIMIT_ZIP_ENTRIES=20000`,
or several in a TOML file that `DIGITAL_DJ_LIMITS` names (a line ``zip_entries = 20000`` each). The
variable wins over the file. A value that is no number in its range is not heeded: the usual
limit holds, and `problems` says so where the app and the command line start.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

FILE_VARIABLE = "DIGITAL_DJ_LIMITS"
PREFIX = "DIGITAL_DJ_LIMIT_"
LARGEST = 1_000_000_000_000  # beyond it a limit is a slip of the finger


@dataclass(frozen=True)
class Limits:
    """What is accepted, each at least 1.

    Attributes:
        midi_bytes, midi_events, midi_tracks, midi_seconds: of one MIDI file. The largest real
            ones known have 156 KB, 42,000 events, 17 tracks and half an hour.
        zip_entries, zip_bytes: files in a zip, and what they unpack to together.
        folder_depth: folders inside one another in a zip or folder that is imported.
        name_characters: of a file's name with its folders.
        fact_sheet_bytes, fact_sheet_rows: of the info.csv files of one import together.
        shot_bytes, shot_seconds, shot_channels, shot_rate_hz: of one recording of a drum, for a kit
            of one's own.
        shot_work_seconds: decoding it may take on a clock.
        track_bytes, track_seconds, track_work_seconds: of a track that is listened to, and what
            decoding it may take on a clock.
        kit_shots, kit_bytes, kit_seconds: recordings of one kit of one's own, what they are
            together, and what reading them may take.
        kits_kept: kits of one's own.
        loop_seconds: of a drum loop that is transcribed.
        card_bytes, weights_bytes: of a model folder's JSON and of its weights.
        fetch_entries, fetch_bytes: files of a corpus or run that is fetched, and what they are
            together.
        upload_bytes: of all files a visitor adds in one go, in however many tabs.
        uploads_bytes: of all files that all visitors are adding.
        upload_seconds: what sending a file may take, and reading what was added; then nothing of
            it is kept.
        crate_beats, crate_bytes: what a crate holds; beats that were deleted make room.
        crate_seconds: what reading a crate file may take; then nothing of it is kept.
        uploads_per_hour, trainings_per_hour, works_per_hour: that one visitor may start; works
            are sets and packs that are rendered.
        trainings_at_once, works_at_once, renders_at_once: that run for all visitors together;
            others wait. Renders are the loops, stems and one-shots under a deck.
        takes_at_once: takes that are made together; the next one waits a moment.
        waiting: how many may wait; more are asked to come again.
        takes_waiting: how many takes may; each is made in a fraction of a second.
        works_each, renders_each, takes_each: of those that run or wait, how many may be one
            visitor's. They are served by turns.
        turn_bars: bars of 4/4 that one turn may play, all its takes together; a turn makes
            everybody else wait. A hundred are about three seconds on a small server.
        ahead_bars: bars of 4/4 of the longest take that is made before it is asked for; only while
            nobody's is made or waits, but who comes then waits until it is done.
        sessions_kept: browsers whose takes a reload brings back. Beyond them those make room that
            were not used for a day; nobody's while they play.
        sessions_per_hour: that may begin from one address; so no visitor can fill the room.
        takes_kept: takes of one browser; then the oldest makes room.
    """

    midi_bytes: int = 2_000_000
    midi_events: int = 200_000
    midi_tracks: int = 64
    midi_seconds: int = 3_600
    zip_entries: int = 5_000
    zip_bytes: int = 200_000_000
    folder_depth: int = 16
    name_characters: int = 300
    fact_sheet_bytes: int = 4_000_000
    fact_sheet_rows: int = 20_000
    shot_bytes: int = 20_000_000
    shot_seconds: int = 30
    shot_channels: int = 2
    shot_rate_hz: int = 96_000
    shot_work_seconds: int = 5
    track_bytes: int = 260_000_000
    track_seconds: int = 900
    track_work_seconds: int = 120
    kit_shots: int = 2_000
    kit_bytes: int = 100_000_000
    kit_seconds: int = 60
    kits_kept: int = 200
    loop_seconds: int = 300
    card_bytes: int = 30_000_000
    weights_bytes: int = 250_000_000
    fetch_entries: int = 200_000
    fetch_bytes: int = 4_000_000_000
    upload_bytes: int = 100_000_000
    uploads_bytes: int = 150_000_000
    upload_seconds: int = 600
    crate_beats: int = 20_000
    crate_bytes: int = 500_000_000
    crate_seconds: int = 30
    uploads_per_hour: int = 60
    trainings_per_hour: int = 20
    works_per_hour: int = 60
    trainings_at_once: int = 1
    works_at_once: int = 1
    renders_at_once: int = 2
    takes_at_once: int = 1
    waiting: int = 20
    takes_waiting: int = 100
    works_each: int = 3
    renders_each: int = 12
    takes_each: int = 40
    turn_bars: int = 320
    ahead_bars: int = 32
    sessions_kept: int = 2_000
    sessions_per_hour: int = 60
    takes_kept: int = 1_000


NAMES = tuple(limit.name for limit in fields(Limits))


def read_limits(environment: Mapping[str, str]) -> tuple[Limits, tuple[str, ...]]:
    """The limits that hold, and a sentence for every wish that could not be heeded."""
    problems: list[str] = []
    wishes: dict[str, object] = {}
    if path := environment.get(FILE_VARIABLE):
        try:
            wishes |= tomllib.loads(Path(path).read_text("utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"{FILE_VARIABLE} names {path}, which cannot be read: {error}.")
    for variable, text in environment.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            wishes[name] = int(text) if text.isascii() and text.isdigit() else text
    heeded: dict[str, int] = {}
    for name, value in wishes.items():
        if name not in NAMES:
            problems.append(f"There is no limit called {name!r}. Limits: {', '.join(NAMES)}.")
        elif type(value) is not int or not 1 <= value <= LARGEST:
            usual = getattr(Limits, name)
            problems.append(
                f"The limit {name} is a whole number from 1 on; got {value!r}. {usual:,} holds."
            )
        else:
            heeded[name] = value
    return replace(Limits(), **heeded), tuple(problems)


LIMITS, PROBLEMS = read_limits(os.environ)
