"""Note maps for reading: which drum each note number of a file means, for many kits.

A map names a drum for the notes it knows. Maps of kits that go beyond General MIDI name their own
notes, and the rest as General MIDI does. A note that no map names is read as a conga, counted and
said; so no hit is ever dropped because its note is odd.

Sources of the notes (facts only):

* ``td-11``: the published mapping of the Groove MIDI Dataset; Roland's support articles "Default
  MIDI Note Map" of the TD-17, TD-25, TD-27 and VAD103 give the same notes.
* ``td-50``: Roland's support article "TD-50, TD-50X: Default MIDI Note Map"; it has a fourth tom,
  whose rim is the note that General MIDI claps on.
* ``alesis-nitro``: "Pad MIDI Note Numbers" in the user guides of the Nitro, Nitro Max and Nitro
  Pro modules, which print one table.
* ``yamaha-dtx``: DTX502 Reference Manual, "MIDI Note Numbers Assigned to Pads", and the DTXPLORER
  manual, "MIDI Transmit Note Number".
* ``ezdrummer``: Toontrack's EZdrummer Operation Manual, 4.4 "Key Mapping", and its notes as listed
  for EZdrummer 2 (the layout is called GM Extended, and Superior Drummer follows it). Lists
  disagree about 63, a tight hat in some: it stands with its neighbour 60, the open hat.
* ``addictive-drums``: XLN Audio's "Addictive Drums 2 Keymap".
* ``extended``: see `drums`; found out from the paper's corpus.
* Our own targets: `note_maps`.

BFD, Battery and the Alesis Strike are not here: no table of theirs with note numbers could be
found that is public and agrees with itself (a Strike's pads and Battery's cells are the user's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dj_core.music.drums import DRUM, DRUMS, LANE, Drum, DrumMap
from dj_core.music.note_maps import NOTE_MAPS

FALLBACK = DRUM["conga"]
"""What a note that no map names is read as."""

_PERCUSSION = frozenset(drum.name for drum in DRUMS if drum.family == "percussion")
_HAND_PERCUSSION = frozenset({54, 56, *range(60, 82)})  # of General MIDI
TD_HAT_EDGES = frozenset({22, 26})
"""Notes that a Roland kit sends and General MIDI does not have: they tell one from the other."""
_TD_TOM_3_RIM = 58


@dataclass(frozen=True)
class ReadingMap:
    """How one kit's notes are read.

    Attributes:
        name: identifier in code, files and on the command line.
        label: what a DJ reads.
        drums: note (0 to 127) → name of a drum, for every note the map names.
    """

    name: DrumMap
    label: str
    drums: Mapping[int, str]

    def unnamed(self, counts: Mapping[int, int]) -> int:
        """Of hits counted by note, how many stand on notes the map does not name."""
        return sum(count for note, count in counts.items() if note not in self.drums)

    def kit_share(self, counts: Mapping[int, int]) -> float:
        """Of hits counted by note, the share on kick, snare, hats, toms and cymbals; 0 to 1."""
        drums = self.drums
        kit = sum(
            count
            for note, count in counts.items()
            if drums.get(note, FALLBACK.name) not in _PERCUSSION
        )
        return kit / max(sum(counts.values()), 1)

    def families(self, counts: Iterable[int]) -> frozenset[str]:
        """The families of drums that these notes belong to."""
        return frozenset(DRUM[self.drums[note]].family for note in counts if note in self.drums)


def _by_note(drums: Mapping[str, Iterable[int]]) -> dict[int, str]:
    return {note: name for name, notes in drums.items() for note in notes}


_GENERAL_MIDI = _by_note({drum.name: drum.general_midi for drum in DRUMS})
_TD_11 = _GENERAL_MIDI | {_TD_TOM_3_RIM: "low_tom"}

_ALESIS_NITRO = _GENERAL_MIDI | _by_note(
    {"low_tom": (39, 41, 43, 58), "open_hat": (23,), "pedal_hat": (21,)}
)
_YAMAHA_DTX = _GENERAL_MIDI | _by_note(
    {
        "kick": (33,),
        "snare": (31, 34),
        "side_stick": (27,),
        "open_hat": (78, 85),
        "closed_hat": (79, 86),
        "pedal_hat": (83,),
        "ride": (52,),
        "crash": (59,),
    }
)
_EZDRUMMER = _GENERAL_MIDI | _by_note(
    {
        "kick": (34,),
        "snare": (33, 39),
        "closed_hat": (22, 61, 62, 64, 65, 122),
        "pedal_hat": (21, 23),
        "open_hat": (17, 24, 25, 26, 60, 63, 123, 124),
        "low_tom": (73, 75),
        "mid_tom": (78,),
        "high_tom": (80,),
        "crash": (27, 28, 29, 30, 31, 32, 54, 58),
    }
)
_ADDICTIVE_DRUMS = _by_note(
    {
        "kick": (36,),
        "snare": (37, 38, 39, 40, 41, 43),
        "side_stick": (42, 44),
        "cowbell": (47, 75),
        "pedal_hat": (48, 59),
        "closed_hat": (49, 50, 51, 52, 53),
        "open_hat": (54, 55, 56, 57, 58),
        "ride": (45, 60, 61, 62, 63),
        "low_tom": (65, 66, 67, 68),
        "mid_tom": (69, 70),
        "high_tom": (71, 72),
        "crash": (46, 77, 78, 79, 80, 81, 82),
    }
)

DRUM_MAPS: dict[DrumMap, ReadingMap] = {
    reading_map.name: reading_map
    for reading_map in (
        ReadingMap("general-midi", "General MIDI", _GENERAL_MIDI),
        ReadingMap("td-11", "Roland TD-11, TD-17, TD-25, TD-27", _TD_11),
        ReadingMap("td-50", "Roland TD-50", _TD_11 | {39: "low_tom"}),
        ReadingMap("alesis-nitro", "Alesis Nitro", _ALESIS_NITRO),
        ReadingMap("yamaha-dtx", "Yamaha DTX", _YAMAHA_DTX),
        ReadingMap("ezdrummer", "EZdrummer, Superior Drummer", _EZDRUMMER),
        ReadingMap("addictive-drums", "Addictive Drums", _ADDICTIVE_DRUMS),
        ReadingMap(
            "extended",
            "Extended, as large drum archives use it",
            _by_note({drum.name: drum.extended for drum in DRUMS}),
        ),
        *(
            # where a target plays two lanes on one drum, the first in the drum table is meant
            ReadingMap(
                target.name,
                target.label,
                {note: name for name, note in reversed(list(target.notes.items()))},
            )
            for target in NOTE_MAPS
            if target.name != "general-midi"
        ),
    )
}
"""Every map by its name, in the order they are offered."""

_GUESSED_ON_CHANNEL_10 = ("general-midi", "alesis-nitro", "yamaha-dtx", "ezdrummer")
_GUESSED_ELSEWHERE = ("general-midi", "extended", *_GUESSED_ON_CHANNEL_10[1:])
_WHOLE_KIT = frozenset({"kick", "snare", "hat"})
_MUCH_LIKELIER = 0.25  # of all hits, more on a kit's own drums


def drum_of_note(note: int, drum_map: DrumMap = "general-midi") -> Drum:
    """The drum that a MIDI note (0 to 127) is read as; notes a map does not name are congas."""
    return DRUM[DRUM_MAPS[drum_map].drums.get(note, FALLBACK.name)]


@lru_cache(maxsize=32)
def lanes_by_note(drum_map: DrumMap) -> tuple[int, ...]:
    """The lane of each of the 128 notes."""
    return tuple(LANE[drum_of_note(note, drum_map).name] for note in range(128))


def guessed_map(counts: Mapping[int, int], *, on_channel_10: bool) -> DrumMap:
    """The map that hits, counted by note, were most likely written in.

    Channel 10 promises General MIDI, or a Roland kit where there are the notes of its hi-hat's
    edges or of its third tom's rim. Where General MIDI does not name a note, the map that leaves
    the fewest hits without a name is meant; of several, the one that makes the most of a kit.
    """
    names = _GUESSED_ON_CHANNEL_10 if on_channel_10 else _GUESSED_ELSEWHERE
    if not DRUM_MAPS["general-midi"].unnamed(counts):
        return "td-11" if on_channel_10 and _is_roland(counts) else "general-midi"
    return min(
        names,
        key=lambda name: (DRUM_MAPS[name].unnamed(counts), -DRUM_MAPS[name].kit_share(counts)),
    )


def likelier_map(counts: Mapping[int, int], drum_map: DrumMap) -> DrumMap | None:
    """A map that makes a whole kit of hits of which `drum_map` makes percussion; usually None.

    It is something to offer: congas and cowbells may well be meant.
    """
    taken = DRUM_MAPS[drum_map]
    if taken.families(counts) >= _WHOLE_KIT:
        return None
    share = taken.kit_share(counts) + _MUCH_LIKELIER
    for name, other in DRUM_MAPS.items():
        if other.unnamed(counts) or other.kit_share(counts) < share:
            continue
        if other.families(counts) >= _WHOLE_KIT:
            return name
    return None


def _is_roland(counts: Mapping[int, int]) -> bool:
    if not TD_HAT_EDGES.isdisjoint(counts):
        return True
    return _TD_TOM_3_RIM in counts and _HAND_PERCUSSION.isdisjoint(counts)
