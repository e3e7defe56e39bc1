"""Changes to a set that is already planned; each gives a new set."""

from __future__ import annotations

from dataclasses import replace

from dj_core.errors import SetError
from dj_core.models.request import BeatModel
from dj_core.music.beat import Beat
from dj_core.sets.bar_counts import Count
from dj_core.sets.set_plan import Entry, SetList, SetSettings, plan_set
from dj_core.sets.set_takes import add_fills, add_roles, fill_gaps
from dj_core.sound.beat_sound import USUAL_SOUND, BeatSound


def replanned(planned: SetList, settings: SetSettings) -> SetList:
    """The same beats in the same order under other settings. Raises SetError."""
    return planned if planned.settings == settings else plan_set(planned.entries, settings)


def moved(planned: SetList, slot: int, by: int) -> SetList:
    """The beat at `slot` so many places later (or, negative, earlier), at most to an end."""
    entries = list(planned.entries)
    entry = entries.pop(slot)
    entries.insert(max(0, slot + by), entry)
    return plan_set(entries, planned.settings)


def without(planned: SetList, slot: int) -> SetList:
    """The set without one beat. Raises SetError for the last one left."""
    if len(planned.slots) == 1:
        raise SetError("A set has one beat at least. Build another set instead.")
    entries = list(planned.entries)
    del entries[slot]
    return plan_set(entries, planned.settings)


def recounted(planned: SetList, slot: int, count: Count | None) -> SetList:
    """The set with one beat counted otherwise; None for whatever suits the plan best."""
    return _changed(planned, slot, replace(planned.entries[slot], count=count))


def lengthened(planned: SetList, slot: int, phrases: int | None) -> SetList:
    """The set with one beat playing so many phrases; None for its share of the set."""
    return _changed(planned, slot, replace(planned.entries[slot], phrases=phrases))


def at_own_tempo(planned: SetList, slot: int, tempo_bpm: float | None) -> SetList:
    """The set with one beat at a tempo of its own; None for what the set plans there.

    Raises:
        SetError: not 10 to 600 BPM.
    """
    return _changed(planned, slot, replace(planned.entries[slot], tempo_bpm=tempo_bpm))


def with_beat(planned: SetList, slot: int, beat: Beat, sound: BeatSound = USUAL_SOUND) -> SetList:
    """The set with another beat and sound in a place, as the set now counts it.

    A tempo other than the one it plays at is from now on its own.
    """
    entry = replace(planned.entries[slot], beat=beat, count="as-is", sound=sound)
    if beat.playing_tempo_bpm != planned.slots[slot].tempo_bpm:
        entry = replace(entry, tempo_bpm=beat.playing_tempo_bpm)
    return _changed(planned, slot, entry)


def with_new_take(planned: SetList, slot: int, model: BeatModel, *, after: bool) -> SetList:
    """The set with a beat that a model plays for this place.

    Args:
        planned: the set.
        slot: the place.
        model: plays the beat and its fills.
        after: put it behind the beat that is there instead of in its place.

    Raises:
        GenerationError: the model cannot play what the set needs.
        SetError: it is full.
    """
    entries = list(planned.entries)
    if after:
        entries.insert(slot + 1, Entry(None))
    else:
        entries[slot] = Entry(None)
    place = slot + after
    taken = {entry.own_beat.provenance.seed for entry in planned.entries}
    # another seed for every take that was asked for here, the same ones each time
    seed = planned.settings.seed + 1
    while True:
        drawn = replace(planned.settings, seed=seed)
        filled = fill_gaps(entries, drawn, model)
        if filled[place].own_beat.provenance.seed not in taken:
            break
        seed += 1
    if planned.settings.fills:
        filled = add_fills(filled, drawn, model)
    filled = add_roles(filled, drawn, model)
    return plan_set(filled, planned.settings)


def _changed(planned: SetList, slot: int, entry: Entry) -> SetList:
    entries = list(planned.entries)
    entries[slot] = entry
    return plan_set(entries, planned.settings)
