"""The bars of one slot of a set: the beat thinned for mixing, with fills and accents.

=========  =======================================================================================
intro      kick and hats alone, for mixing in; the outro is the same
groove     the beat as it is; its first bar opens with a crash where the set has energy
breakdown  everything but the kick, softer
fill       the last bar of a groove's or breakdown's phrase, and of the section itself
=========  =======================================================================================

Where an entry has phrases in these roles (`Entry.roles`), a drum plays as in the beat in the bars
in which the phrase has at least half of its strokes, and otherwise as in the phrase.

A stroke just ahead of a bar line belongs to the bar it leads into, so that it stays or goes with
that bar.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dj_core.music.as_played import as_played, play_seed
from dj_core.music.beat import Beat, Hit, Meter
from dj_core.music.drums import DRUMS, LANE, Family
from dj_core.sets.set_plan import LOUD_FROM, SectionKind, SetList, SetSettings, Slot

EARLY_QUARTERS = 0.07  # a 64th ahead of the line is a push, a 32nd is a stroke of its own
BREAKDOWN_LEVEL = 0.8  # of the groove's velocities
AUDITION_BARS = 4  # of either side of a transition
ROLE_OF: dict[str, str] = {"intro": "intro", "breakdown": "break", "outro": "outro"}
"""The role whose phrase guides a section."""
MIX_FAMILIES: tuple[Family, ...] = ("kick", "hat")
# who keeps time where a beat has no hats, in order
TIMEKEEPERS = ("ride", "shaker", "tambourine", "cowbell", "side_stick", "snare", "clap")


@dataclass(frozen=True)
class Bar:
    """One bar of the set.

    Attributes:
        meter: its length.
        tempo_bpm: quarter notes a minute.
        hits: strokes; onsets count from the bar line and may be up to `EARLY_QUARTERS` less than
            0 in `pushed`.
        pushed: strokes ahead of the bar line, with the (positive) distance to it as their onset.
        section: what the bar is part of.
        first: whether it is the first of its section.
        fill: whether a fill is played.
    """

    meter: Meter
    tempo_bpm: float
    hits: tuple[Hit, ...]
    pushed: tuple[Hit, ...]
    section: SectionKind
    first: bool = False
    fill: bool = False


def bars_of(slot: Slot, settings: SetSettings, number: int) -> Iterator[Bar]:
    """The bars of the slot that is `number`th (from 0) in a set with these settings."""
    choose = random.Random(f"{settings.seed} {number}")
    beat = slot.beat
    if beat.has_conditions:  # from the slot's start on, as the deck plays it
        beat = as_played(beat, sum(section.bars for section in slot.sections), play_seed(beat))
    loop = _loop_bars(beat)
    kept = {section.kind: lanes_of(slot.beat, section.kind) for section in slot.sections}
    fills = [_loop_bars(fill)[0] for fill in slot.entry.fills] if settings.fills else []
    roles = {
        str(beat.provenance.settings.get("feel", {}).get("role", "")): _loop_bars(beat)
        for beat in slot.entry.roles
    }
    crash = slot.energy >= LOUD_FROM
    position = 0
    for index, section in enumerate(slot.sections):
        opens = section.kind == "groove" and index > 0 and crash
        role = roles.get(ROLE_OF.get(section.kind, ""))
        for bar in range(section.bars):
            hits, pushed = loop[_loop_place(position, len(loop), settings.phrase_bars)]
            # a section's phrases are counted back from its end
            ends = (section.bars - bar - 1) % settings.phrase_bars == 0
            filled = bool(fills) and ends and section.kind in ("groove", "breakdown")
            if filled:
                hits = choose.choice(fills)[0]
            if role is None:
                hits, pushed = (_thinned(part, section.kind, kept) for part in (hits, pushed))
            else:
                guide = role[bar * len(role) // section.bars]
                hits, pushed = _guided((hits, pushed), guide)
            if opens and bar == 0:
                hits = _with_crash(hits)
            yield Bar(
                slot.beat.meter,
                slot.tempo_bpm,
                hits,
                pushed,
                section.kind,
                first=bar == 0,
                fill=filled,
            )
            position += 1


def set_bars(planned: SetList) -> Iterator[tuple[int, Bar]]:
    """Every bar of the set in order, each with the number of its slot."""
    for number, slot in enumerate(planned.slots):
        for bar in bars_of(slot, planned.settings, number):
            yield number, bar


def as_beat(bars: Sequence[Bar], like: Beat) -> Beat:
    """Bars of one meter and tempo as a beat, with the genre and title of `like`.

    A push ahead of the very first bar line lands on it.
    """
    quarters = like.meter.bar_quarters
    hits = [
        replace(hit, onset_quarters=number * quarters + hit.onset_quarters)
        for number, bar in enumerate(bars)
        for hit in bar.hits
    ]
    hits += [
        replace(hit, onset_quarters=max(0.0, number * quarters - hit.onset_quarters))
        for number, bar in enumerate(bars)
        for hit in bar.pushed
    ]
    tempo_bpm = bars[0].tempo_bpm
    return replace(like, hits=tuple(hits), bars=len(bars), tempo_bpm=tempo_bpm, lane_lengths=())


def slot_beat(planned: SetList, number: int) -> Beat:
    """All a slot plays as one beat."""
    slot = planned.slots[number]
    return as_beat(list(bars_of(slot, planned.settings, number)), slot.beat)


def transition(planned: SetList, number: int) -> tuple[Beat, Beat]:
    """The last bars of slot `number` and the first of the next, as loops for two decks."""
    after = number + 1
    ending = list(bars_of(planned.slots[number], planned.settings, number))[-AUDITION_BARS:]
    opening = list(bars_of(planned.slots[after], planned.settings, after))[:AUDITION_BARS]
    beats = (planned.slots[number].beat, planned.slots[after].beat)
    return as_beat(ending, beats[0]), as_beat(opening, beats[1])


def section_loop(slot: Slot, kind: SectionKind) -> Beat | None:
    """The slot's loop as one kind of section plays it; None where nothing is left to play."""
    kept = _thinned(slot.beat.hits, kind, {kind: lanes_of(slot.beat, kind)})
    return replace(slot.beat, hits=kept) if kept else None


def lanes_of(beat: Beat, kind: SectionKind) -> frozenset[int]:
    """The lanes of a beat that a section of this kind keeps.

    Where the beat has no hats its next best timekeeper stands in for them, and a beat without
    any of these is mixed as it is.
    """
    lanes = frozenset(beat.lanes)
    if kind == "groove":
        return lanes
    if kind == "breakdown":
        return frozenset(lane for lane in lanes if DRUMS[lane].family != "kick")
    kept = {lane for lane in lanes if DRUMS[lane].family in MIX_FAMILIES}
    if not any(DRUMS[lane].family == "hat" for lane in kept):
        kept.update([LANE[name] for name in TIMEKEEPERS if LANE[name] in lanes][:1])
    return frozenset(kept) or lanes


def _loop_bars(beat: Beat) -> list[tuple[tuple[Hit, ...], tuple[Hit, ...]]]:
    """Each bar's strokes, and those pushed ahead of it, as the beat goes round."""
    quarters = beat.meter.bar_quarters
    hits: list[list[Hit]] = [[] for _ in range(beat.bars)]
    pushed: list[list[Hit]] = [[] for _ in range(beat.bars)]
    for hit in beat.hits:
        bar = math.floor((hit.onset_quarters + EARLY_QUARTERS) / quarters)
        onset = hit.onset_quarters - bar * quarters
        place = hits if onset >= 0 else pushed
        place[bar % beat.bars].append(replace(hit, onset_quarters=abs(onset)))
    return [(tuple(a), tuple(b)) for a, b in zip(hits, pushed, strict=True)]


def _loop_place(position: int, loop_bars: int, phrase_bars: int) -> int:
    """Which bar of the loop plays; loops start anew with each half phrase or phrase they fit."""
    for span in (phrase_bars // 2, phrase_bars):
        if loop_bars <= span:
            return position % span % loop_bars
    return position % loop_bars


def _thinned(
    hits: Sequence[Hit], kind: SectionKind, kept: Mapping[SectionKind, frozenset[int]]
) -> tuple[Hit, ...]:
    """What a section keeps of a bar's strokes; fills keep their own drums but for the kick."""
    if kind == "groove":
        return tuple(hits)
    if kind == "breakdown":
        return tuple(
            replace(hit, velocity=max(1, round(hit.velocity * BREAKDOWN_LEVEL)))
            for hit in hits
            if hit.drum.family != "kick"
        )
    return tuple(hit for hit in hits if hit.lane in kept[kind])


def _guided(
    bar: tuple[tuple[Hit, ...], tuple[Hit, ...]], guide: tuple[tuple[Hit, ...], tuple[Hit, ...]]
) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """A bar's drums as far as the guide's bar has at least half of their strokes, else its own.

    Both are strokes and those pushed ahead of the bar line.
    """
    asked_for = Counter(hit.lane for part in guide for hit in part)
    full = {
        lane
        for lane, strokes in Counter(hit.lane for part in bar for hit in part).items()
        if asked_for[lane] >= strokes / 2
    }
    hits, pushed = (
        (
            *(hit for hit in own if hit.lane in full),
            *(hit for hit in asked if hit.lane not in full),
        )
        for own, asked in zip(bar, guide, strict=True)
    )
    return hits, pushed


def _with_crash(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """The bar with a crash on one, unless it has its own."""
    lane = LANE["crash"]
    if any(hit.lane == lane and hit.onset_quarters < EARLY_QUARTERS for hit in hits):
        return hits
    return (Hit.of("crash", 0.0), *hits)
