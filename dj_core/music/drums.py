"""The one table of drums: sixteen lanes, as many as a drum rack has pads.

Everything that needs to know a drum (its MIDI notes, its label, its family, its place on the
grid) asks this table; no other module names a MIDI note number.

Two columns say which notes a file may mean a drum by (`drum_maps` has more, and looks them up):

* ``general_midi``: General MIDI level 1 percussion (35 to 81), with the Roland TD-11's hi-hat
  edges (22, 26) and the GM2 / GS extensions (27 to 34, 82 to 87) folded to the nearest lane.
* ``extended``: the Toontrack-like map of large drum archives, which reuses most notes above 59
  and some below. Its rows were checked against what the paper's corpus calls its files: a note
  that fills "Ride" files is a ride, one on beats 2 and 4 beside the snare is a clap, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DrumMap = str
"""The name of a note map in `drum_maps.DRUM_MAPS`."""
Family = Literal["kick", "snare", "hat", "tom", "cymbal", "percussion"]

DRUM_CHANNEL = 9  # MIDI channel 10, counted from zero as files do


@dataclass(frozen=True)
class Drum:
    """One lane.

    Attributes:
        name: the identifier used in code, files and URLs.
        label: what a DJ reads.
        short: two letters for narrow grids.
        family: lanes of one family share a hue and a stem.
        note: the General MIDI note this lane is written as.
        general_midi: every General MIDI note that belongs to this lane.
        extended: every note of the extended map that belongs to this lane.
        default_velocity: 1 to 127, for models and notations that know no dynamics.
    """

    name: str
    label: str
    short: str
    family: Family
    note: int
    general_midi: tuple[int, ...]
    extended: tuple[int, ...]
    default_velocity: int


DRUMS: tuple[Drum, ...] = (
    Drum("kick", "Kick", "BD", "kick", 36, (35, 36), (36, 60), 112),
    Drum("snare", "Snare", "SD", "snare", 38, (38, 40),
         (38, 39, 40, *range(81, 90)), 108),
    Drum("side_stick", "Side stick", "SS", "snare", 37, (37,), (37,), 96),
    Drum("clap", "Clap", "CP", "snare", 39, (28, 39), (28, 31, 33, 34, 61), 104),
    Drum("closed_hat", "Closed hat", "CH", "hat", 42, (22, 42),
         (22, 42, 66, 68, 90, 92, 94, 97, 98), 84),
    Drum("pedal_hat", "Pedal hat", "PH", "hat", 44, (44,), (24, 44), 80),
    Drum("open_hat", "Open hat", "OH", "hat", 46, (26, 46), (46, *range(76, 81)), 92),
    Drum("low_tom", "Low tom", "LT", "tom", 43, (41, 43), (41, 43), 104),
    Drum("mid_tom", "Mid tom", "MT", "tom", 47, (45, 47), (45, 91), 104),
    Drum("high_tom", "High tom", "HT", "tom", 50, (48, 50), (47, 93), 104),
    Drum("crash", "Crash", "CR", "cymbal", 49, (49, 52, 55, 57), (49, 52, 55, 58, 96), 108),
    Drum("ride", "Ride", "RD", "cymbal", 51, (51, 53, 59),
         (48, 50, 51, 53, 57, 59, 95, 101), 92),
    Drum("tambourine", "Tambourine", "TB", "percussion", 54, (32, 54), (26, 32, 35, 54), 88),
    Drum("shaker", "Shaker", "SH", "percussion", 70, (29, 30, 58, 69, 70, 73, 74, 82),
         (29, 30, 69, 70, 73, 74), 76),
    Drum("cowbell", "Cowbell and blocks", "CB", "percussion", 56,
         (27, 31, 33, 34, 56, 67, 68, 71, 72, 75, 76, 77, 80, 81, 83, 84, 85),
         (27, 56, 67, 71, 72, 75), 92),
    Drum("conga", "Congas", "CG", "percussion", 63,
         (60, 61, 62, 63, 64, 65, 66, 78, 79, 86, 87), (25, 62, 63, 64, 65), 92),
)  # fmt: skip

DRUM: dict[str, Drum] = {drum.name: drum for drum in DRUMS}
LANE: dict[str, int] = {drum.name: lane for lane, drum in enumerate(DRUMS)}

GENERAL_MIDI_PERCUSSION = range(35, 82)  # General MIDI 1 sound set, "Percussion Key Map"


def general_midi_note(drum: Drum, source_note: int | None = None) -> int:
    """The General MIDI note for a hit on `drum` that a file wrote as `source_note`.

    A source note that General MIDI files under the same drum stays (a ride bell stays a bell);
    any other is folded to the drum's own note.
    """
    if source_note in GENERAL_MIDI_PERCUSSION and source_note in drum.general_midi:
        return source_note
    return drum.note
