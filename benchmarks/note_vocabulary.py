"""How many different strings the paper's notes are, by the version of music21 that spells them.

    PYTHON benchmarks/note_vocabulary.py FOLDER

PYTHON is any interpreter with some music21 installed; nothing else is needed. FOLDER holds MIDI
files, at any depth. Every file is read the way the paper says: converted, divided by instrument,
the first part walked, and each note, chord (its names sorted) and rest written down with its
octave. Prints one JSON object:

files, unread   read, and refused by music21
notes, rests    strings in all, and the share of them that are rests
different       different strings: the vocabulary
as_a_set        different, were a drum written once that is struck twice in one chord
no_octaves      different, were octaves left out: C2 and C3 the same word
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from music21 import chord, converter, instrument, note

REST = "rest"


def main() -> None:
    """Read every file and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    paths = sorted(parser.parse_args().folder.rglob("*.mid"))
    if not paths:
        sys.exit("There is no .mid file in that folder.")
    warnings.simplefilter("ignore")  # music21's own, of files that hold an odd event
    names: list[str] = []
    unread = 0
    for path in paths:
        try:
            names += names_in(path)
        except Exception:  # what music21 raises differs from version to version
            unread += 1
    print(json.dumps(counted(names, len(paths) - unread, unread)))


def counted(names: list[str], files: int, unread: int) -> dict[str, str | int | float]:
    """The figures, by name."""
    different = set(names)
    return {
        "music21": version("music21"),
        "files": files,
        "unread": unread,
        "notes": len(names),
        "rests": round(names.count(REST) / max(len(names), 1), 4),
        "different": len(different),
        "as_a_set": len({" ".join(sorted(set(name.split(" ")))) for name in different}),
        "no_octaves": len({re.sub(r"\d", "", name) for name in different}),
    }


def names_in(path: Path) -> list[str]:
    """The file's notes, chords and rests, in music21's order."""
    parts = instrument.partitionByInstrument(converter.parse(str(path), forceSource=True)).parts
    return [name for element in parts[0].recurse() if (name := name_of(element))]


def name_of(element: object) -> str:
    """What the paper calls it; '' for all that is no note, chord or rest."""
    if isinstance(element, note.Note):
        return element.nameWithOctave
    if isinstance(element, chord.Chord):
        return " ".join(sorted(one.nameWithOctave for one in element.notes))
    return REST if isinstance(element, note.Rest) else ""


if __name__ == "__main__":
    main()
