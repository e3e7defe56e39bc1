"""Writes MIDI files for samplers and DAWs, with a beat's provenance as a text event.

Type 1, 480 ticks a quarter, channel 10, tempo and meter at tick 0, and the end of the track on the
last bar line. Every file says which note map it is written in, so that it reads back the same, and
which conditions its notes have, if any: every step of a beat is written once, as it stands.
Reading is `midi_reading`'s; its names are here too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from dj_core.errors import BeatError, MidiError
from dj_core.files.beat_json import (
    MAX_TEXT,
    canonical_json,
    condition_from_json,
    condition_to_json,
    lane_lengths_from_json,
    lane_lengths_to_json,
    provenance_from_json,
    provenance_to_json,
)
from dj_core.files.midi_events import MIDI_ENDINGS, MidiEvents, parse_midi, without_riff
from dj_core.files.midi_reading import (
    AS_IN_CORPUS,
    MICROSECONDS_PER_MINUTE,
    PROVENANCE_MARK,
    Outline,
    Reading,
    content_of,
    drum_map_of,
    drum_map_vote,
    outline_of,
    read_midi,
    read_midi_report,
    told_in,
)
from dj_core.files.storage import write_bytes_atomic
from dj_core.music.beat import TRANSCRIBED, Beat, Hit
from dj_core.music.drum_maps import DRUM_MAPS
from dj_core.music.drums import DRUM_CHANNEL, DRUMS, general_midi_note
from dj_core.music.note_maps import NOTE_MAP
from dj_core.music.timing import straightened

if TYPE_CHECKING:
    from mido import MidiTrack

__all__ = [
    "MICROSECONDS_PER_MINUTE", "MIDI_ENDINGS", "PROVENANCE_MARK", "TICKS_PER_QUARTER",
    "MidiEvents", "MidiSettings", "Outline", "Reading", "apart", "drum_map_of",
    "drum_map_vote", "map_telling", "midi_bytes", "note_of", "outline_of", "parse_midi",
    "read_beat", "read_midi", "read_midi_report", "save_midi", "without_riff",
]  # fmt: skip

TICKS_PER_QUARTER = 480
DEFAULT_DURATION_QUARTERS = 0.125  # drums ring as they like; long enough for any DAW to show

Timing = Literal["as-played", "straight"]


@dataclass(frozen=True)
class MidiSettings:
    """How a MIDI file shall be written. Raises MidiError for a value not named here.

    Attributes:
        target: a name from `note_maps.NOTE_MAP`; or 'as-in-corpus', which keeps the note numbers
            and durations the beat's source used.
        midi_type: 1 (tempo and drums in tracks of their own) or 0 (all in one track).
        track_per_drum: a track for every drum that is played; type 1 only.
        timing: 'as-played' with swing and microtiming, or 'straight' (see `timing.straightened`).
        provenance: write down in the file what made the beat and its genre, where they are known;
            whose notes these are stands in every file.
    """

    target: str = "general-midi"
    midi_type: int = 1
    track_per_drum: bool = False
    timing: Timing = "as-played"
    provenance: bool = True

    def __post_init__(self) -> None:
        known = (*NOTE_MAP, AS_IN_CORPUS)
        if self.target not in known:
            raise MidiError(f"No target is called {self.target!r}. Targets: {', '.join(known)}.")
        if self.midi_type not in (0, 1) or (self.midi_type == 0 and self.track_per_drum):
            raise MidiError(
                "A MIDI file is of type 0 (one track) or 1; a track for each drum needs type 1. "
                f"Got type {self.midi_type!r}{' with tracks' if self.track_per_drum else ''}."
            )
        if self.timing not in get_args(Timing):
            raise MidiError(f"timing is 'as-played' or 'straight'; got {self.timing!r}.")


def midi_bytes(
    beat: Beat,
    notes: str = "general-midi",
    *,
    settings: MidiSettings | None = None,
) -> bytes:
    """The beat as a MIDI file.

    Args:
        beat: any beat; without a tempo it is written at MIDI's default of 120 BPM.
        notes: the target, for a file with everything else as usual.
        settings: everything about the file; what `notes` says is then not heeded.
    """
    from mido import MetaMessage, MidiFile

    settings = settings or MidiSettings(target=notes)
    if settings.timing == "straight":
        beat = straightened(beat)
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    told, made = map_telling(settings.target, beat.hits), beat.provenance
    changed = made.edited or made.settings.get(TRANSCRIBED)
    if settings.provenance and (made.model is not None or made.seed is not None or changed):
        told["provenance"] = provenance_to_json(made)
    if settings.provenance and beat.genre:
        told["genre"] = beat.genre
    if beat.has_conditions:
        told["lane_lengths"] = lane_lengths_to_json(beat)
        told["conditions"] = [
            [round(hit.onset_quarters * TICKS_PER_QUARTER), hit.drum.name, condition_to_json(asked)]
            for hit in beat.hits
            if (asked := hit.condition)
        ]
    tempo, meter = round(MICROSECONDS_PER_MINUTE / beat.playing_tempo_bpm), beat.meter
    over, under = meter.numerator, meter.denominator
    opening: list[Timed] = [
        (0, -2, MetaMessage("track_name", name=beat.title or "Beat")),
        (0, -2, MetaMessage("set_tempo", tempo=tempo)),
        (0, -2, MetaMessage("time_signature", numerator=over, denominator=under)),
        (0, -2, MetaMessage("text", text=PROVENANCE_MARK + canonical_json(told))),
    ]
    parts: list[tuple[str, Sequence[Hit]]] = [("Drums", beat.hits)]
    if settings.track_per_drum:
        parts = [
            (DRUMS[lane].label, [hit for hit in beat.hits if hit.lane == lane])
            for lane in beat.lanes
        ]
    tracks = [opening]
    for name, hits in parts:
        messages = _note_messages(hits, settings.target, end)
        if settings.midi_type == 0:
            opening += messages
        else:
            tracks.append([(0, -1, MetaMessage("track_name", name=name)), *messages])
    file = MidiFile(
        type=settings.midi_type,
        ticks_per_beat=TICKS_PER_QUARTER,
        charset="utf-8",
        tracks=[timed_track(messages, end) for messages in tracks],
    )
    buffer = BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def save_midi(
    beat: Beat,
    path: Path,
    notes: str = "general-midi",
    *,
    settings: MidiSettings | None = None,
) -> Path:
    """Write `midi_bytes` to `path`, completely or not at all. Raises LibraryError."""
    return write_bytes_atomic(path, midi_bytes(beat, notes, settings=settings))


def read_beat(source: Path | bytes) -> Beat:
    """The drums of a MIDI file and, where it is one of ours, what made them and their conditions.

    Words about its making that were altered are not heeded: the notes are what counts. Raises
    MidiError as `read_midi`.
    """
    beat = read_midi(source)
    told = told_in(parse_midi(content_of(source))) or {}
    try:
        origin = provenance_from_json(told["provenance"])
    except (BeatError, KeyError):
        origin = beat.provenance
    # a genre that was drawn is not the one asked for, which may be ''
    settings = origin.settings
    genres = (told.get("genre"), settings.get("played_genre"), settings.get("genre"))
    genre = next((one for one in genres if isinstance(one, str) and one), "")
    beat = replace(beat, provenance=origin, genre=genre[:MAX_TEXT])
    try:
        lengths = lane_lengths_from_json(told.get("lane_lengths", {}))
        conditions = {
            (tick, drum): condition_from_json(condition)
            for tick, drum, condition in told.get("conditions", ())
        }
        hits = tuple(
            replace(hit, condition=conditions.get((place, hit.drum.name)))
            for hit in beat.hits
            for place in [round(hit.onset_quarters * TICKS_PER_QUARTER)]
        )
        return replace(beat, hits=hits, lane_lengths=lengths)
    except (BeatError, TypeError, ValueError):
        return beat


# --- writing ----------------------------------------------------------------------------------

Timed = tuple[int, int, Any]  # tick, order within the tick, a message of mido's


def map_telling(target: str, hits: Iterable[Hit]) -> dict[str, Any]:
    """Which note map a file is in: the target, and what its notes are where these are a corpus's.

    A note map is named where one fits; else every note is.
    """
    told: dict[str, Any] = {"target": target}
    if target == AS_IN_CORPUS:
        drums = {hit.note: hit.drum.name for hit in hits}
        fitting = (
            name
            for name, known in DRUM_MAPS.items()
            if name == "general-midi" or name not in NOTE_MAP
            if all(known.drums.get(note) == drum for note, drum in drums.items())
        )
        if name := next(fitting, ""):
            told["map"] = name
        else:
            told["drums"] = {str(note): drum for note, drum in drums.items()}
    return told


def _note_messages(hits: Iterable[Hit], target: str, end: int) -> list[Timed]:
    """Note-ons and note-offs of every stroke, as the target wants them.

    As in the corpus, nothing is changed. Elsewhere a note lasts at least as long as DAWs can
    show and ends where the same note is struck again; and on a machine that plays two drums on
    one note, two strokes at once are the louder of them.
    """
    from mido import Message

    faithful = target == AS_IN_CORPUS
    shortest = 0.0 if faithful else DEFAULT_DURATION_QUARTERS
    notes = []
    for hit in hits:
        onset = min(round(hit.onset_quarters * TICKS_PER_QUARTER), end - 1)
        quarters = hit.duration_quarters
        quarters = DEFAULT_DURATION_QUARTERS if quarters is None else max(quarters, shortest)
        release = min(onset + round(quarters * TICKS_PER_QUARTER), end)
        notes.append((note_of(hit, target), onset, release, hit.velocity))
    if not faithful:
        notes = apart(notes, merge=target != "general-midi")
    messages: list[Timed] = []
    for note, onset, release, velocity in notes:
        note_on = Message("note_on", channel=DRUM_CHANNEL, note=note, velocity=velocity)
        note_off = Message("note_off", channel=DRUM_CHANNEL, note=note, velocity=0)
        # a note-off comes before a note-on of the same tick, except that of a note without length
        messages += [(onset, 1, note_on), (release, 0 if release > onset else 2, note_off)]
    return messages


def note_of(hit: Hit, target: str) -> int:
    """The note a file for `target` (see `MidiSettings`) plays a stroke by."""
    if target == AS_IN_CORPUS:
        return hit.note
    if target == "general-midi":
        return general_midi_note(hit.drum, hit.source_note)
    return NOTE_MAP[target].note(hit.drum)


def apart(notes: list[tuple[int, int, int, int]], merge: bool) -> list[tuple[int, int, int, int]]:
    """Notes of one number that do not overlap; with `merge`, one of them at a time."""
    by_note: defaultdict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for one in sorted(notes, key=lambda one: one[:2]):
        same = by_note[one[0]]
        if same and same[-1][1] == one[1] and merge:
            same[-1] = (*one[:2], max(same[-1][2], one[2]), max(same[-1][3], one[3]))
            continue
        if same and same[-1][1] < one[1] < same[-1][2]:
            same[-1] = (*same[-1][:2], one[1], same[-1][3])
        same.append(one)
    return [one for same in by_note.values() for one in same]


def timed_track(messages: list[Timed], end: int) -> MidiTrack:
    """Timed messages as a track that ends on the last bar line, `end` ticks from its start."""
    from mido import MetaMessage, MidiTrack

    track, now = MidiTrack(), 0
    for tick, _, message in sorted(messages, key=lambda timed: timed[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(MetaMessage("end_of_track", time=end - now))
    return track
