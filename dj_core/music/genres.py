"""The one table of genres: what each is called and how fast it usually goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """A style of drumming.

    Attributes:
        name: identifier in files, links and the command line.
        label: what a DJ reads.
        tempo_bpm: a typical tempo; where corpora give none, beats of the genre play at it.
    """

    name: str
    label: str
    tempo_bpm: float


GENRES: tuple[Genre, ...] = (
    # the eight genres of the paper's corpus
    Genre("blues", "Blues", 92),
    Genre("country", "Country", 112),
    Genre("indie", "Indie", 124),
    Genre("jazz", "Jazz", 140),
    Genre("pop", "Pop", 112),
    Genre("psychedelic-rock", "Psychedelic rock", 108),
    Genre("rock", "Rock", 120),
    Genre("soul", "Soul", 98),
    # what DJs play
    Genre("house", "House", 124),
    Genre("techno", "Techno", 132),
    Genre("drum-and-bass", "Drum and bass", 174),
    Genre("uk-garage", "UK garage", 132),
    Genre("hip-hop", "Hip-hop", 90),
    Genre("trap", "Trap", 140),
    Genre("breakbeat", "Breakbeat", 130),
    Genre("electro", "Electro", 126),
    Genre("disco", "Disco", 118),
    Genre("dub", "Dub", 72),
    Genre("reggaeton", "Reggaeton", 94),
    # further styles the known corpora name
    Genre("dubstep", "Dubstep", 140),
    Genre("footwork", "Footwork", 160),
    Genre("synthwave", "Synthwave", 100),
    Genre("funk", "Funk", 104),
    Genre("latin", "Latin", 108),
    Genre("afrobeat", "Afrobeat", 112),
    Genre("afro-cuban", "Afro-Cuban", 112),
    Genre("gospel", "Gospel", 112),
    Genre("middle-eastern", "Middle Eastern", 104),
    Genre("new-orleans", "New Orleans", 96),
    Genre("punk", "Punk", 160),
    Genre("reggae", "Reggae", 78),
    Genre("highlife", "Highlife", 120),
    Genre("dance", "Dance", 120),
)
GENRE: dict[str, Genre] = {genre.name: genre for genre in GENRES}


def genre_name(text: str) -> str:
    """A folder or style name as a genre identifier: 'Psychedelic Rock' → 'psychedelic-rock'.

    Spellings that mean the same ('hiphop', 'dnb') become one name. '' stays ''.
    """
    name = "-".join(text.replace("_", " ").replace("-", " ").replace("&", " and ").lower().split())
    return _SPELLINGS.get(name, name)


def genre_label(name: str) -> str:
    """What to show for a genre; names the table does not know are shown as they are."""
    return GENRE[name].label if name in GENRE else name.replace("-", " ").capitalize()


def typical_tempo_bpm(name: str) -> float | None:
    """A usual tempo for the genre in BPM, or None for one the table does not know."""
    return GENRE[name].tempo_bpm if name in GENRE else None


_SPELLINGS = {
    "hiphop": "hip-hop",
    "dnb": "drum-and-bass",
    "drum-n-bass": "drum-and-bass",
    "ukgarage": "uk-garage",
    "garage": "uk-garage",
    "afrocuban": "afro-cuban",
    "middleeastern": "middle-eastern",
    "neworleans": "new-orleans",
}
