"""Conditions of a step: chance, which loops it plays in, ratchets and flams; the draws they take.

A beat goes round and round, and so does a drum with a length of its own. Its rounds, the loops, are
numbered from 0. Every draw is a hash of seed, loop, drum and step: the same wherever it is made.
`dj_ui/deck/conditions.js` is this file and `as_played` in the browser; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dj_core.errors import BeatError

MOST_STROKES = 8
MAX_SPAN_QUARTERS = 4.0
MAX_FLAM_QUARTERS = 0.125  # half a 16th
GRACE_LEVEL = 0.4  # of a flam's first stroke against its second
FIRST, NOT_FIRST = "first", "not-first"
LOOPS = ("", FIRST, NOT_FIRST, *(f"{nth}:{of}" for of in (2, 3, 4) for nth in range(1, of + 1)))
_ALL_BITS = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Condition:
    """When a hit sounds, and as how many strokes. Raises BeatError for a value not named here.

    Attributes:
        chance_percent: how likely it sounds, 1 to 100.
        loops: '' for every loop, 'first', 'not-first', or '2:4' for every second of four.
        strokes: a ratchet of 2 to 8 even strokes; 1 for none.
        span_quarters: how long the ratchet is, up to 4; as long as the hit's step.
        ramp_percent: by how much a ratchet's first stroke is softer than the hit (1 to 100), or
            its last (-1 to -100); the others lie between.
        flam_quarters: how far ahead a grace stroke sounds, up to 0.125; 0 for none.
    """

    chance_percent: int = 100
    loops: str = ""
    strokes: int = 1
    span_quarters: float = 0.25
    ramp_percent: int = 0
    flam_quarters: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.chance_percent <= 100:
            raise BeatError(f"A chance is 1 to 100 percent; got {self.chance_percent}.")
        if self.loops not in LOOPS:
            raise BeatError(
                f"A step sounds in loops called {', '.join(LOOPS[1:])}; got {self.loops!r}."
            )
        if not 1 <= self.strokes <= MOST_STROKES:
            raise BeatError(f"A ratchet has 1 to {MOST_STROKES} strokes; got {self.strokes}.")
        if not 0 < self.span_quarters <= MAX_SPAN_QUARTERS:
            raise BeatError(
                f"A ratchet lasts up to {MAX_SPAN_QUARTERS:g} quarters; got {self.span_quarters}."
            )
        if not -100 <= self.ramp_percent <= 100:
            raise BeatError(f"A ratchet's ramp is -100 to 100 percent; got {self.ramp_percent}.")
        if not 0 <= self.flam_quarters <= MAX_FLAM_QUARTERS:
            raise BeatError(
                f"A flam is up to {MAX_FLAM_QUARTERS:g} quarters ahead; got {self.flam_quarters}."
            )

    def stretched(self, factor: float) -> Condition:
        """The same for a hit whose times are all `factor` as long, as far as the limits allow."""
        span = min(MAX_SPAN_QUARTERS, self.span_quarters * factor)
        flam = min(MAX_FLAM_QUARTERS, self.flam_quarters * factor)
        return replace(self, span_quarters=span, flam_quarters=flam)

    def holds(self, loop: int, draw: int) -> bool:
        """Whether the hit sounds in a loop, given the loop's `draw` for its drum and step."""
        if self.loops in (FIRST, NOT_FIRST) and (self.loops == FIRST) != (loop == 0):
            return False
        nth, _, of = self.loops.partition(":")
        if of and loop % int(of) != int(nth) - 1:
            return False
        return draw * 100 < self.chance_percent << 32

    def velocities(self, velocity: int) -> list[int]:
        """The velocities, 1 to 127, of the strokes of a hit of `velocity`, without its flam."""
        last = self.strokes - 1
        shares = [100.0] * self.strokes
        if last and self.ramp_percent > 0:
            shares = [100 - self.ramp_percent * (last - part) / last for part in range(last + 1)]
        elif last:
            shares = [100 + self.ramp_percent * part / last for part in range(last + 1)]
        return [_levelled(velocity, share / 100) for share in shares]

    def grace_velocity(self, velocity: int) -> int:
        """The velocity of the flam's grace stroke before a stroke of `velocity`."""
        return _levelled(velocity, GRACE_LEVEL)


def draw_of(seed: int, loop: int, lane: int, step: int) -> int:
    """A whole number from 0 to 2**32 - 1, drawn evenly: the same for the same four numbers."""
    mixed = _mixed(seed)
    for number in (loop, lane, step):
        mixed = _mixed(mixed + number * 0x9E37_79B1 + 0x7F4A_7C15)
    return mixed


def _mixed(bits: int) -> int:
    """MurmurHash3's finaliser of 32 bits (Appleby, public domain)."""
    bits &= _ALL_BITS
    bits = (bits ^ bits >> 16) * 0x85EB_CA6B & _ALL_BITS
    bits = (bits ^ bits >> 13) * 0xC2B2_AE35 & _ALL_BITS
    return bits ^ bits >> 16


def _levelled(velocity: int, level: float) -> int:
    # not `round`, which rounds halves to even numbers and JavaScript does not
    return max(1, int(velocity * level + 0.5))
