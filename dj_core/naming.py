"""File names that every deck, sampler and file system takes: A-Z a-z 0-9 _ - and the tempo."""

from __future__ import annotations

import re
import unicodedata

from dj_core.beat import Beat

MAX_STEM_LENGTH = 80


def safe_stem(text: str) -> str:
    """`text` reduced to A-Z a-z 0-9 _ -, accents folded; 'beat' when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:MAX_STEM_LENGTH] or "beat"


def beat_stem(beat: Beat) -> str:
    """A name without ending for a beat's files: 'house_124bpm_seed7'."""
    parts = [beat.genre or beat.title or beat.provenance.model or "beat"]
    if beat.provenance.seed is None and beat.genre and beat.title:
        parts.append(beat.title)
    parts.append(f"{round(beat.playing_tempo_bpm)}bpm")
    if beat.provenance.seed is not None:
        parts.append(f"seed{beat.provenance.seed}")
    return safe_stem("_".join(parts))
