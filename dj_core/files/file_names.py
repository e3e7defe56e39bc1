"""Safe names for files, corpora and runs, and safe one-line text."""

from __future__ import annotations

import re
import unicodedata

from dj_core.errors import LibraryError
from dj_core.music.beat import TRANSCRIBED, Beat, Provenance

MAX_STEM_LENGTH = 80
MAX_STEM_BYTES = 160  # file systems take 255, and ours come with numbers, tempos and endings
_JOINERS = "\u200c\u200d"  # letters of some scripts, and emoji, are joined by them
_NO_CHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
MAX_NAME_LENGTH = 64
_MOST_NAME_BYTES = 200  # file systems take 255, and ours come with endings
_DEVICES = {"con", "prn", "aux", "nul"} | {  # which Windows opens instead of a folder
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}


def safe_stem(text: str) -> str:
    """`text` reduced to letters, digits, _ and -; 'beat' when nothing is left.

    Latin letters lose their accents, so that decks and samplers show them; those of other scripts
    stay, so that a name in them can still be read.
    """
    latin = re.sub(r"([A-Za-z])[\u0300-\u036f]+", r"\1", unicodedata.normalize("NFKD", text))
    kept = "".join(
        letter if letter in "_-" or unicodedata.category(letter)[0] in "LNM" else " "
        for letter in unicodedata.normalize("NFC", latin)
    )
    stem = "-".join(kept.split()).strip("-_")[:MAX_STEM_LENGTH]
    stem = stem.encode()[:MAX_STEM_BYTES].decode("utf-8", "ignore").strip("-_") or "beat"
    return f"{stem}-beat" if stem.lower() in _DEVICES else stem


def counted(number: int, noun: str) -> str:
    """A number with its noun, as in '1 bar' and '2,000 bars'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_line(text: str) -> str:
    """`text` on one line, without what no reader sees: control characters, halves of characters,
    and marks that turn the direction of writing.

    Every name that goes into a file of ours passes here, so that none can end a line of a
    playlist, break an XML file or show another name than it is.
    """
    kept = (
        letter
        for letter in _NO_CHARACTERS.sub("", text)
        if letter.isspace()
        or letter in _JOINERS
        or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    )
    return " ".join("".join(kept).split())


def origin_words(provenance: Provenance) -> str:
    """What made a beat: 'model groove, seed 7'; '' where nothing did."""
    parts = [f"model {one_line(provenance.model)}"] if provenance.model else []
    parts += [] if provenance.seed is None else [f"seed {provenance.seed}"]
    parts += ["transcribed from sound"] if provenance.settings.get(TRANSCRIBED) else []
    return ", ".join(parts)


def beat_stem(beat: Beat) -> str:
    """A name without ending for a beat's files: 'house_124bpm_seed7'."""
    parts = [beat.genre or beat.title or beat.provenance.model or "beat"]
    if beat.provenance.seed is None and beat.genre and beat.title:
        parts.append(beat.title)
    parts.append(f"{round(beat.playing_tempo_bpm)}bpm")
    if beat.provenance.seed is not None:
        parts.append(f"seed{beat.provenance.seed}")
    return safe_stem("_".join(parts))


def checked_name(name: str) -> str:
    """A corpus's or run's name as it is kept: without blanks around it, in Unicode's form NFC.

    Raises LibraryError for one that cannot name a folder on every file system.
    """
    clean = unicodedata.normalize("NFC", name).strip(" ")
    kinds = [unicodedata.category(character)[0] for character in clean]
    if (
        not clean
        or len(clean) > MAX_NAME_LENGTH
        or len(clean.encode("utf-8", "replace")) > _MOST_NAME_BYTES
        or kinds[0] not in "LN"
        or not all(k in "LNM" or c in " _-" for c, k in zip(clean, kinds, strict=True))
        or name_key(clean) in _DEVICES
    ):
        raise LibraryError(
            f"{name[:MAX_NAME_LENGTH]!r} cannot be used as a name. Use up to {MAX_NAME_LENGTH} "
            "letters, digits, spaces, - and _, beginning with a letter or digit."
        )
    return clean


def name_key(name: str) -> str:
    """What two names have in common that are one name to a reader, or to a file system."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
