"""A beat as text for a link: its JSON, compressed, in letters that an address may hold."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import replace

from dj_core.errors import BeatError
from dj_core.files.beat_json import beat_from_json, beat_to_json, canonical_json, parse_json
from dj_core.music.beat import Beat, Provenance

MOST_LETTERS = 6_000  # of a link; servers and chats cut longer ones
MOST_BARS = 512
_MOST_BYTES = 200_000  # of the JSON inside


def beat_to_text(beat: Beat) -> str:
    """The beat, with its conditions and the seed of its chances, as up to 6,000 letters.

    What made it is told by model, corpus and seed alone. Raises BeatError where it is too long.
    """
    made = beat.provenance
    told = Provenance(made.source, made.model, made.model_sha256, made.corpus, made.seed)
    told = replace(told, edited=made.edited)
    packed = zlib.compress(canonical_json(beat_to_json(replace(beat, provenance=told))).encode(), 9)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    if len(text) > MOST_LETTERS:
        raise BeatError(
            f"This beat is too long for a link: {len(text):,} letters of {MOST_LETTERS:,}. "
            "Send its MIDI file, which keeps the conditions too."
        )
    return text


def beat_from_text(text: str) -> Beat:
    """The beat that `beat_to_text` wrote. Raises BeatError for anything else."""
    broken = BeatError("The beat in this link cannot be read. Copy the link again, whole.")
    if len(text) > MOST_LETTERS:
        raise broken
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        opened = zlib.decompressobj()
        content = opened.decompress(packed, _MOST_BYTES)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise broken from error
    if not opened.eof:
        raise broken
    beat = beat_from_json(parse_json(content))
    if beat.bars > MOST_BARS:
        raise BeatError(f"A beat in a link has up to {MOST_BARS} bars; got {beat.bars}.")
    return beat
