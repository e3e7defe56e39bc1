"""Writes MIDI files for samplers and DAWs, with a beat's provenance as a text event.

Type 1, 480 ticks a quarter, channel 10, tempo and meter at tick 0, and the end of the track on the
last bar line. Every file says which note map it is written in, so that it reads back the same.
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
    provenance_from_json,
    provenance_to_json,
)
from dj_core.files.midi_events import LIMITS, MIDI_ENDINGS, MidiEvents, parse_midi, without_riff
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
from dj_core.music.beat import Beat, Hit, Provenance
from dj_core.music.drum_maps import DRUM_MAPS
from dj_core.music.drums import DRUM_CHANNEL, DRUMS, DrumMap, general_midi_note
from dj_core.music.note_maps import NOTE_MAP
from dj_core.music.timing import straightened

if TYPE_CHECKING:
    from mido import MetaMessage, MidiTrack

__all__ = [
    "LIMITS", "MICROSECONDS_PER_MINUTE", "MIDI_ENDINGS", "PROVENANCE_MARK", "TICKS_PER_QUARTER",
    "Marker", "MidiEvents", "MidiSettings", "Outline", "Reading", "apart", "drum_map_of",
    "drum_map_vote", "map_telling", "midi_bytes", "note_of", "outline_of", "parse_midi",
    "provenance_of", "read_beat", "read_midi", "read_midi_report", "save_midi", "without_riff",
]  # fmt: skip

TICKS_PER_QUARTER = 480
DEFAULT_DURATION_QUARTERS = 0.125  # drums ring as they like; long enough for any DAW to show

NoteChoice = Literal["general-midi", "as-in-corpus"]
Timing = Literal["as-played", "straight"]


@dataclass(frozen=True)
class MidiSettings:
    """How a MIDI file shall be written.

    Attributes:
        target: a name from `note_maps.NOTE_MAP`; or 'as-in-corpus', which keeps the note numbers
            and durations the beat's source used.
        midi_type: 1 (tempo and drums in tracks of their own) or 0 (all in one track).
        track_per_drum: a track for every drum that is played; type 1 only.
        timing: 'as-played' with swing and microtiming, or 'straight' (see `timing.straightened`).
        provenance: write down in the file what made the beat and its genre, where they are known;
            whose notes these are stands in every file.

    Raises:
        MidiError: a value not named here.
    """

    target: str = "general-midi"
    midi_type: int = 1
    track_per_drum: bool = False
    timing: Timing = "as-played"
    provenance: bool = True

    def __post_init__(self) -> None:
        if self.target not in (*NOTE_MAP, "as-in-corpus"):
            known = ", ".join((*NOTE_MAP, "as-in-corpus"))
            raise MidiError(f"No target is called {self.target!r}. Targets: {known}.")
        if self.midi_type not in (0, 1) or (self.midi_type == 0 and self.track_per_drum):
            raise MidiError(
                "A MIDI file is of type 0 (one track) or 1; a track for each drum needs type 1. "
                f"Got type {self.midi_type!r}{' with tracks' if self.track_per_drum else ''}."
            )
        if self.timing not in get_args(Timing):
            raise MidiError(f"timing is 'as-played' or 'straight'; got {self.timing!r}.")


@dataclass(frozen=True)
class Marker:
    """A named place in a file, as DAWs show them: a drop, a transition."""

    onset_quarters: float
    text: str


def midi_bytes(
    beat: Beat,
    notes: str = "general-midi",
    *,
    settings: MidiSettings | None = None,
    markers: Sequence[Marker] = (),
) -> bytes:
    """The beat as a MIDI file.

    Args:
        beat: any beat; without a tempo it is written at MIDI's default of 120 BPM.
        notes: the target, for a file with everything else as usual.
        settings: everything about the file; what `notes` says is then not heeded.
        markers: places to name, inside the beat.
    """
    import mido

    settings = settings or MidiSettings(target=notes)
    if settings.timing == "straight":
        beat = straightened(beat)
    end = round(beat.length_quarters * TICKS_PER_QUARTER)
    parts = _parts(beat, settings, end)
    if settings.midi_type == 0:
        ((_, messages),) = parts
        tracks = [_track(_opening(beat, settings, markers, end) + messages, end)]
    else:
        tracks = [_track(_opening(beat, settings, markers, end), end)]
        for name, messages in parts:
            title = mido.MetaMessage("track_name", name=name)
            tracks.append(_track([(0, -1, title), *messages], end))
    file = mido.MidiFile(
        type=settings.midi_type, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8", tracks=tracks
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
    markers: Sequence[Marker] = (),
) -> Path:
    """Write `midi_bytes` to `path`, completely or not at all. Raises LibraryError."""
    return write_bytes_atomic(path, midi_bytes(beat, notes, settings=settings, markers=markers))


def read_beat(source: Path | bytes, drum_map: DrumMap | None = None) -> Beat:
    """The drums of a MIDI file and, where it is one of ours, what made them.

    Words about its making that were altered are not heeded: the notes are what counts. Raises
    MidiError as `read_midi`.
    """
    beat = read_midi(source, drum_map)
    told = told_in(parse_midi(content_of(source))) or {}
    try:
        origin = provenance_from_json(told["provenance"])
    except (BeatError, KeyError):
        origin = beat.provenance
    # a genre that was drawn is not the one asked for, which may be ''
    settings = origin.settings
    genres = (told.get("genre"), settings.get("played_genre"), settings.get("genre"))
    genre = next((one for one in genres if isinstance(one, str) and one), "")
    return replace(beat, provenance=origin, genre=genre[:MAX_TEXT])


def provenance_of(source: Path | bytes) -> Provenance | None:
    """What made the beat in a MIDI file, as `midi_bytes` wrote it down; None where nothing is.

    Raises:
        MidiError: no MIDI file, or one whose text was altered.
    """
    told = told_in(parse_midi(content_of(source)))
    if told is None or (told and "provenance" not in told):
        return None
    try:
        return provenance_from_json(told.get("provenance"))
    except BeatError as error:
        raise MidiError(f"What the file says about its making was altered: {error}") from error


# --- writing ----------------------------------------------------------------------------------

_Timed = tuple[int, int, Any]  # tick, order within the tick, a message of mido's


def _opening(
    beat: Beat, settings: MidiSettings, markers: Sequence[Marker], end: int
) -> list[_Timed]:
    """What stands before the drums: title, provenance, tempo, meter, markers."""
    from mido import MetaMessage

    tempo = round(MICROSECONDS_PER_MINUTE / beat.playing_tempo_bpm)
    messages: list[MetaMessage] = [MetaMessage("track_name", name=beat.title or "Beat")]
    messages.append(MetaMessage("set_tempo", tempo=tempo))
    messages.append(
        MetaMessage(
            "time_signature",
            numerator=beat.meter.numerator,
            denominator=beat.meter.denominator,
        )
    )
    messages.append(MetaMessage("text", text=_telling(beat, settings)))
    opening: list[_Timed] = [(0, -2, message) for message in messages]
    for marker in sorted(markers, key=lambda marker: marker.onset_quarters):
        tick = min(round(marker.onset_quarters * TICKS_PER_QUARTER), end)
        opening.append((tick, -1, MetaMessage("marker", text=marker.text)))
    return opening


def _is_worth_telling(provenance: Provenance) -> bool:
    """Whether there is more to say than a file's name."""
    return provenance.model is not None or provenance.seed is not None or provenance.edited


def _telling(beat: Beat, settings: MidiSettings) -> str:
    """The text event that says which note map a file is in and, if wanted, what made it."""
    told = map_telling(settings.target, beat.hits)
    if settings.provenance and _is_worth_telling(beat.provenance):
        told["provenance"] = provenance_to_json(beat.provenance)
    if settings.provenance and beat.genre:
        told["genre"] = beat.genre
    return PROVENANCE_MARK + canonical_json(told)


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


def _parts(beat: Beat, settings: MidiSettings, end: int) -> list[tuple[str, list[_Timed]]]:
    """The drums as (track name, messages): one part, or one per drum that is played."""
    if not settings.track_per_drum:
        return [("Drums", _note_messages(beat.hits, settings.target, end))]
    return [
        (
            DRUMS[lane].label,
            _note_messages([hit for hit in beat.hits if hit.lane == lane], settings.target, end),
        )
        for lane in beat.lanes
    ]


def _note_messages(hits: Iterable[Hit], target: str, end: int) -> list[_Timed]:
    """Note-ons and note-offs.

    A note-off comes before a note-on of the same tick, except that of a note without length.
    """
    from mido import Message

    messages: list[_Timed] = []
    for note, onset, release, velocity in _notes(hits, target, end):
        messages.append(
            (onset, 1, Message("note_on", channel=DRUM_CHANNEL, note=note, velocity=velocity))
        )
        order = 0 if release > onset else 2
        messages.append(
            (release, order, Message("note_off", channel=DRUM_CHANNEL, note=note, velocity=0))
        )
    return messages


def _notes(hits: Iterable[Hit], target: str, end: int) -> list[tuple[int, int, int, int]]:
    """(note, onset tick, release tick, velocity) of every stroke, as the target wants them.

    As in the corpus, nothing is changed. Elsewhere a note lasts at least as long as DAWs can
    show and ends where the same note is struck again; and on a machine that plays two drums on
    one note, two strokes at once are the louder of them.
    """
    faithful = target == "as-in-corpus"
    shortest = 0.0 if faithful else DEFAULT_DURATION_QUARTERS
    notes = []
    for hit in hits:
        onset = min(round(hit.onset_quarters * TICKS_PER_QUARTER), end - 1)
        quarters = hit.duration_quarters
        quarters = DEFAULT_DURATION_QUARTERS if quarters is None else max(quarters, shortest)
        release = min(onset + round(quarters * TICKS_PER_QUARTER), end)
        notes.append((note_of(hit, target), onset, release, hit.velocity))
    if faithful:
        return notes
    return apart(notes, merge=target != "general-midi")


def note_of(hit: Hit, target: str) -> int:
    """The note a file for `target` (see `MidiSettings`) plays a stroke by."""
    if target == "as-in-corpus":
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


def _track(messages: list[_Timed], end: int) -> MidiTrack:
    """Timed messages as a track that ends on the last bar line."""
    from mido import MetaMessage, MidiTrack

    track, now = MidiTrack(), 0
    for tick, _, message in sorted(messages, key=lambda timed: timed[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(MetaMessage("end_of_track", time=end - now))
    return track
