"""The one table of kits: General MIDI's, which a SoundFont plays, and our own, each with its file.

A kit of our own is built by ``python -m scripts.build_kits``. Its SoundFont is an ordinary one:
bank 128, program 0, General MIDI's notes; the alternates of a drum lie 52 keys higher.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dj_core.music.drums import DRUM, GENERAL_MIDI_PERCUSSION

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "soundfonts"
ALTERNATE_KEYS_UP = 52
"""How far above a drum's note its alternate lies: past the notes of General MIDI and its kin."""
ALTERNATED_NOTES = frozenset(
    DRUM[name].note for name in ("snare", "clap", "closed_hat", "pedal_hat", "open_hat", "shaker")
)
"""Drums of ours with an alternate for every second stroke."""
OUR_SOUND = "Digital DJ"
SOUNDFONT = "SoundFont"


@dataclass(frozen=True)
class Kit:
    """A drum kit.

    Attributes:
        name: identifier used in code, links and on the command line.
        label: what a DJ reads.
        program: preset number in bank 128 of a SoundFont.
        file: the SoundFont that it brings along; None for whichever is played with.
    """

    name: str
    label: str
    program: int
    file: Path | None = None

    @property
    def source(self) -> str:
        """Whose sound it is."""
        return OUR_SOUND if self.file else SOUNDFONT

    @property
    def alternated(self) -> frozenset[int]:
        """Notes that have an alternate, 52 keys higher."""
        return ALTERNATED_NOTES if self.file else frozenset()


def _ours(name: str, label: str) -> Kit:
    return Kit(name, label, 0, SHIPPED_FOLDER / f"kit-{name}.sf2")


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
OUR_KITS = tuple(kit for kit in KITS.values() if kit.file)


def offered_kits() -> tuple[Kit, ...]:
    """Every kit, in the order in which to offer them: ours before those of a SoundFont."""
    return tuple(sorted(KITS.values(), key=lambda kit: kit.source != OUR_SOUND))


def kit_or(name: str, instead: str) -> str:
    """The kit of that name, where it is here; else the other."""
    return name if name in KITS else instead


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
