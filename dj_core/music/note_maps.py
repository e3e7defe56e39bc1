"""Note maps for writing: which note each target machine has for each lane.

`drums.py` says which notes a file may mean a drum by; this table says which note to write for a
machine that is not a General MIDI kit. A pad controller shows sixteen pads, and a beat has up to
sixteen lanes: three of the maps give every lane a pad of its own. A machine with fewer drums
(the TR-8S) plays two lanes on one drum where it must.

Sources: Ableton's manual (a Drum Rack shows notes 36 to 51, C1 to D#2, from the bottom left pad
on); the pad-to-note table MPCs used for drum programs from the MPC60 to MPC 2.10 (pads A01 to
A16; since 2.11 new programs count from 36 on, as a Drum Rack does); Native Instruments' Maschine
manual (a group's sixteen sounds from note 36 on); Roland's MIDI implementation chart of the
TR-8S (notes by instrument, channel 10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dj_core.music.drums import DRUMS, Drum

_NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FIRST_PAD = 36  # the bottom left pad of controllers that count upwards


@dataclass(frozen=True)
class NoteMap:
    """The notes one target plays the drums by.

    Attributes:
        name: identifier in code, files and on the command line.
        label: what a DJ reads.
        hint: one sentence: where to put the file.
        notes: drum name → MIDI note (0 to 127), for all sixteen drums.
        pads: drum name → what the target calls its place ('A02', 'Pad 1', 'BD'); empty where the
            note says all.
    """

    name: str
    label: str
    hint: str
    notes: Mapping[str, int]
    pads: Mapping[str, str]

    def note(self, drum: Drum) -> int:
        """The note to write for a drum."""
        return self.notes[drum.name]


def note_name(note: int) -> str:
    """A note as Ableton, Native Instruments and Akai write it: 36 is C1, 60 is C3."""
    return f"{_NOTE_NAMES[note % 12]}{note // 12 - 2}"


_GENERAL_MIDI = {drum.name: drum.note for drum in DRUMS}


def _numbered(notes: Mapping[str, int], word: str) -> dict[str, str]:
    """Pads named by their number, counted from the bottom left one."""
    return {name: f"{word} {note - _FIRST_PAD + 1}" for name, note in notes.items()}


# what General MIDI has in C1 to D#2 stays there; the other four take the pads left over
_ABLETON = _GENERAL_MIDI | {"tambourine": 40, "conga": 41, "cowbell": 45, "shaker": 48}

# in the order of the pads, A01 to A16
_MPC = {
    "side_stick": 37,
    "kick": 36,
    "closed_hat": 42,
    "shaker": 82,
    "clap": 40,
    "snare": 38,
    "open_hat": 46,
    "pedal_hat": 44,
    "high_tom": 48,
    "conga": 47,
    "mid_tom": 45,
    "low_tom": 43,
    "crash": 49,
    "cowbell": 55,
    "ride": 51,
    "tambourine": 53,
}

# in the order of the pads, the lowest row first
_MASCHINE_ORDER = (
    "kick", "snare", "closed_hat", "open_hat",
    "clap", "side_stick", "pedal_hat", "shaker",
    "low_tom", "mid_tom", "high_tom", "tambourine",
    "crash", "ride", "cowbell", "conga",
)  # fmt: skip
_MASCHINE = {name: _FIRST_PAD + pad for pad, name in enumerate(_MASCHINE_ORDER)}

# drum → the TR-8S's own; as on the 808, toms are also congas and the rim shot is also the sticks
_TR_8S_DRUMS = {
    "kick": "BD", "snare": "SD", "side_stick": "RS", "clap": "HC", "closed_hat": "CH",
    "pedal_hat": "CH", "open_hat": "OH", "low_tom": "LT", "mid_tom": "MT", "high_tom": "HT",
    "crash": "CC", "ride": "RC", "tambourine": "HC", "shaker": "CH", "cowbell": "RS",
    "conga": "HT",
}  # fmt: skip
_TR_8S_NOTES = {
    "BD": 36, "SD": 38, "LT": 43, "MT": 47, "HT": 50, "RS": 37, "HC": 39, "CH": 42, "OH": 46,
    "CC": 49, "RC": 51,
}  # fmt: skip

NOTE_MAPS: tuple[NoteMap, ...] = (
    NoteMap(
        "general-midi",
        "General MIDI",
        "Plays right in every program, keyboard and drum module that knows General MIDI.",
        _GENERAL_MIDI,
        {},
    ),
    NoteMap(
        "ableton",
        "Ableton Drum Rack",
        "Drag it onto a Drum Rack: every drum is on one of the sixteen pads you see.",
        _ABLETON,
        _numbered(_ABLETON, "Pad"),
    ),
    NoteMap(
        "mpc",
        "Akai MPC",
        "For drum programs with the classic pad notes, bank A. Programs that count their pads "
        "from C1 on, the default since MPC 2.11, take the Ableton or the Maschine map.",
        _MPC,
        {name: f"A{pad:02}" for pad, name in enumerate(_MPC, start=1)},
    ),
    NoteMap(
        "maschine",
        "Maschine",
        "Import it into a group whose sounds 1 to 16 are played from C1 on: kick, snare and hats "
        "on the lowest row.",
        _MASCHINE,
        _numbered(_MASCHINE, "Sound"),
    ),
    NoteMap(
        "tr-8s",
        "Roland TR-8S",
        "Send it on channel 10. Eleven drums take sixteen lanes: what the TR-8S does not have "
        "plays on its nearest drum.",
        {name: _TR_8S_NOTES[own] for name, own in _TR_8S_DRUMS.items()},
        _TR_8S_DRUMS,
    ),
)
NOTE_MAP: dict[str, NoteMap] = {note_map.name: note_map for note_map in NOTE_MAPS}


def printed_map(note_map: NoteMap) -> str:
    """The map as a Markdown table, a row per drum in the order of its notes."""
    rows = [f"| {note_map.label} | Note | Drum |", "|---|---|---|"]
    for drum in sorted(DRUMS, key=lambda drum: (note_map.note(drum), drum.name)):
        note = note_map.note(drum)
        rows.append(
            f"| {note_map.pads.get(drum.name, '')} | {note} {note_name(note)} | {drum.label} |"
        )
    return "\n".join(rows) + "\n"
