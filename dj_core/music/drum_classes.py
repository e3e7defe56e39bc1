"""The nine drum classes by which models are compared; claps and percussion are in none."""

from __future__ import annotations

CLASSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("kick", ("kick",)),
    ("snare", ("snare", "side_stick")),
    ("hat", ("closed_hat", "pedal_hat")),
    ("open hat", ("open_hat",)),
    ("low tom", ("low_tom",)),
    ("mid tom", ("mid_tom",)),
    ("high tom", ("high_tom",)),
    ("crash", ("crash",)),
    ("ride", ("ride",)),
)
"""The nine classes with the drums each one holds; claps and percussion have no part in it."""
