"""The beat on the deck before anything has been generated."""

from __future__ import annotations

import functools

from dj_core.music.beat import Beat
from dj_core.music.composer import written_phrases

_GENRE = "house"


@functools.cache
def opening_beat() -> Beat:
    """A written phrase; what is on deck before anything was generated."""
    return written_phrases(_GENRE).phrases[0]
