"""The beat a first visitor finds on the deck."""

from __future__ import annotations

import functools

from dj_core.music.beat import Beat
from dj_core.music.patterns import genre_patterns

_GENRE = "house"


@functools.cache
def opening_beat() -> Beat:
    """A starter pattern; what is on deck before anything was generated."""
    return next(beat for beat in genre_patterns(_GENRE) if beat.bars > 1)
