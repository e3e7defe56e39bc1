"""The one table of kits: General MIDI's, which a SoundFont plays, and our own, each with its file.

Beside it stand the kits that a DJ has made of one-shots, in a folder of their own.

A kit of our own is built by ``python -m scripts.build_kits``. Its SoundFont is an ordinary one:
bank 128, program 0, General MIDI's notes; the alternates of a drum lie 52 keys higher.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dj_core.errors import SoundError
from dj_core.files.home import home_folder
from dj_core.music.drums import DRUM, DRUMS, GENERAL_MIDI_PERCUSSION
from dj_core.product import ASSETS

SHIPPED_FOLDER = ASSETS / "soundfonts"
ALTERNATE_KEYS_UP = 52
"""How far above a drum's note its alternate lies: past the notes of General MIDI and its kin."""
ALTERNATED_NOTES = frozenset(
    DRUM[name].note for name in ("snare", "clap", "closed_hat", "pedal_hat", "open_hat", "shaker")
)
"""Drums of ours with an alternate for every second stroke."""
HATS = frozenset(drum.name for drum in DRUMS if drum.family == "hat")
OWN_SOUND = "Yours"
OUR_SOUND = "Digital DJ"
SOUNDFONT = "SoundFont"
OWN_FOLDER = "kits"  # of kits of one's own, in the DJ's folder
OWN_CARD, OWN_SOUNDFONT = "kit.json", "kit.sf2"  # of each, in the folder that has its name
_OWN_NAME = re.compile(r"[^\W_][\w-]{0,79}")


@dataclass(frozen=True)
class Kit:
    """A drum kit.

    Attributes:
        name: identifier used in code, links and on the command line.
        label: what a DJ reads.
        program: preset number in bank 128 of a SoundFont.
        file: the SoundFont that it brings along; None for whichever is played with.
        source: whose sound it is.
        alternated: notes that have an alternate, 52 keys higher.
        choked: the drums that silence each other.
    """

    name: str
    label: str
    program: int
    file: Path | None = None
    source: str = SOUNDFONT
    alternated: frozenset[int] = frozenset()
    choked: frozenset[str] = HATS


def _ours(name: str, label: str) -> Kit:
    file = SHIPPED_FOLDER / f"kit-{name}.sf2"
    return Kit(name, label, 0, file, OUR_SOUND, ALTERNATED_NOTES)


KITS: dict[str, Kit] = {
    kit.name: kit
    for kit in (
        Kit("standard", "Standard", 0),
        _ours("eight", "Eight"),
        _ours("nine", "Nine"),
        _ours("twelve-bit", "Twelve bit"),
        _ours("house", "House"),
        _ours("deep-house", "Deep house"),
        _ours("tech-house", "Tech house"),
        _ours("techno", "Techno"),
        _ours("hard-techno", "Hard techno"),
        _ours("trance", "Trance"),
        _ours("drum-and-bass", "Drum and bass"),
        _ours("jungle", "Jungle"),
        _ours("garage", "Garage"),
        _ours("dubstep", "Dubstep"),
        _ours("trap", "Trap"),
        _ours("boom-bap", "Boom bap"),
        _ours("lo-fi", "Lo-fi"),
        _ours("reggaeton", "Reggaeton"),
        _ours("afro", "Afro"),
        _ours("disco", "Disco"),
        _ours("electro", "Electro"),
        Kit("room", "Room", 8),
        Kit("power", "Power", 16),
        Kit("electronic", "Electronic", 24),
        Kit("tr-808", "TR-808", 25),
        Kit("jazz", "Jazz", 32),
        Kit("brush", "Brush", 40),
        Kit("orchestra", "Orchestra", 48),
    )
}
"""Every kit by name, in the order in which to offer them."""
OUR_KITS = tuple(kit for kit in KITS.values() if kit.source == OUR_SOUND)


def kit_named(name: str) -> Kit:
    """The kit of that name: one of the table, or one of the DJ's own. Raises SoundError."""
    kit = KITS.get(name) or _own_kit(name)
    if kit is None:
        known = ", ".join(kit.name for kit in offered_kits())
        raise SoundError(f"No drum kit is called {name!r}. Kits: {known}.")
    return kit


def kit_or(name: str, instead: str) -> str:
    """The kit of that name, where it is here; else the other."""
    return name if name in KITS or _own_kit(name) else instead


def own_kits() -> tuple[Kit, ...]:
    """The DJ's own kits, by name."""
    folder = home_folder() / OWN_FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return tuple(kit for kit in map(_own_kit, names) if kit)


def offered_kits() -> tuple[Kit, ...]:
    """Every kit, in the order in which to offer them: one's own, ours, and a SoundFont's."""
    ours = sorted(KITS.values(), key=lambda kit: kit.source != OUR_SOUND)
    return (*own_kits(), *ours)


def _own_kit(name: str) -> Kit | None:
    """A kit of the DJ's own folder; None where there is none that can be read."""
    if not _OWN_NAME.fullmatch(name) or name in KITS:
        return None
    folder = home_folder() / OWN_FOLDER / name
    try:
        card = json.loads((folder / OWN_CARD).read_bytes())
        choked = frozenset(lane for lane, pad in card["pads"].items() if pad["choke"])
        return Kit(name, str(card["label"]), 0, folder / OWN_SOUNDFONT, OWN_SOUND, choked=choked)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keys_of(notes: Iterable[int], alternated: Collection[int]) -> Iterator[int]:
    """The key that each of a beat's notes, in the order they are played, strikes.

    Of a drum with an alternate, every second stroke strikes that. A beat begins with the usual one.
    """
    turns: Counter[int] = Counter()
    for note in notes:
        turn = turns[note]
        turns[note] += 1
        yield note + ALTERNATE_KEYS_UP if turn % 2 and note in alternated else note


def note_of(key: int) -> int:
    """The General MIDI note that a key of a kit belongs to."""
    return key if key in GENERAL_MIDI_PERCUSSION else key - ALTERNATE_KEYS_UP


def genres_of(kit: str) -> tuple[str, ...]:
    """The genres whose usual kit it is, by name."""
    from dj_core.music.genres import GENRES

    return tuple(genre.name for genre in GENRES if genre.kit == kit)
