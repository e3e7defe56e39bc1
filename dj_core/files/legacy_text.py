"""Decodes text of unknown encoding: names in zips, tables from spreadsheets.

Zips made by Windows and by older programs hold names in the encoding of the machine they were made
on. UTF-8 is told by its own rules; anything else is guessed from all the text together, as a single
short name says little.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence

ZIP_ENCODING = "cp437"  # what the zip format names where nothing else is said
_LATIN = ("cp1252", "cp437", "cp850", "mac_roman")  # of western machines
_GUESSED_FROM = 20_000  # bytes: more tells no better
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded_names(raw_names: Sequence[bytes]) -> list[str]:
    """Names that stand in one place, as text; nothing is refused."""
    others = [name for name in raw_names if not _is_utf8(name)]
    encoding = _guess(b"\n".join(others)) if others else ""
    return [name.decode("utf-8" if _is_utf8(name) else encoding, "replace") for name in raw_names]


def decoded_table(content: bytes) -> str:
    """A table that a spreadsheet wrote, as text; nothing is refused."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    zeros = content[:200].count(0)
    if zeros > len(content[:200]) // 4:  # every other byte of Latin letters in UTF-16
        return content.decode("utf-16-be" if content[0] == 0 else "utf-16-le", "replace")
    return content.decode("utf-8" if _is_utf8(content) else _guess(content), "replace")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guess(content: bytes) -> str:
    """The encoding of text that is no UTF-8; it can decode every byte of it, as a rule."""
    import chardet

    content = content[:_GUESSED_FROM]
    found = chardet.detect(content)["encoding"] or ZIP_ENCODING
    try:
        encoding = codecs.lookup(found).name
        text = content.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        encoding, text = ZIP_ENCODING, content.decode(ZIP_ENCODING)
    strange = [character for character in text if not character.isascii()]
    if all(map(_is_western, strange)) or encoding == ZIP_ENCODING:
        # which of the western ones can hardly be guessed from frequencies in so few letters
        return max(_LATIN, key=lambda name: _latin_letters(content, name))
    return encoding


def _is_western(character: str) -> bool:
    return "LATIN" in unicodedata.name(character, "") or not character.isalpha()


def _latin_letters(content: bytes, encoding: str) -> int:
    """How much of the text reads as letters of western languages, less what reads as none."""
    text = content.decode(encoding, "replace")
    strange = [character for character in text if not character.isascii()]
    return sum(1 if character.isalpha() and _is_western(character) else -1 for character in strange)
