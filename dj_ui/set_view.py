"""Draws a set: its display, its time line and the rows of its list.

Pure functions from a set to markup or rows; the looks are in `set.css`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dj_core.files.file_names import counted
from dj_core.sets.set_names import slot_genre, slot_name
from dj_core.sets.set_plan import SetList, SetWarning
from dj_ui.set_order import Row
from dj_ui.words import duration_words

ENERGY_LABELS = {
    "rise": "Rise",
    "peak": "Peak",
    "wave": "Waves",
    "steady": "Even",
    "fall": "Fall",
}
COUNT_LABELS = {"as-is": "As written", "half": "Half time", "double": "Double time"}


def tempo_words(planned: SetList) -> str:
    """The set's tempo, or from where to where it goes: '122–132'."""
    first, last = planned.slots[0].tempo_bpm, planned.slots[-1].tempo_bpm
    tempos = [slot.tempo_bpm for slot in planned.slots]
    if min(tempos) == max(tempos):
        return f"{first:.4g}"
    if sorted(tempos) == tempos or sorted(tempos, reverse=True) == tempos:
        return f"{first:.4g}–{last:.4g}"
    return f"{min(tempos):.4g} to {max(tempos):.4g}"


def set_display(planned: SetList, chosen: int) -> str:
    """The set's name, length and tempo, and its course: a block per beat, as high as its energy.

    Args:
        planned: the set.
        chosen: the slot to mark.
    """
    facts = (
        ("", counted(len(planned.slots), "beat")),
        ("", duration_words(planned.duration_seconds)),
        ("BPM", tempo_words(planned)),
        ("", counted(planned.bars, "bar")),
    )
    words = "".join(
        f"<span><b>{escape(value)}</b>{f' {escape(label)}' if label else ''}</span>"
        for label, value in facts
    )
    blocks = "".join(
        _block_html(planned, number, number == chosen) for number in range(len(planned.slots))
    )
    hint = f"Course of the set: {_course_words(planned)}"
    return (
        f'<div class="dj-set"><div class="dj-set-head"><b>{escape(planned.settings.name)}</b>'
        f'<p class="dj-facts">{words}</p></div>'
        f'<div class="dj-course" role="img" aria-label="{escape(hint)}">{blocks}</div>'
        f"{_scale_html(planned)}</div>"
    )


def order_rows(
    planned: SetList, identities: Sequence[int], warnings: Sequence[SetWarning]
) -> list[Row]:
    """The beats of the set as the list shows them; `identities` are theirs in the session."""
    warned = {warning.slot: warning.words for warning in reversed(warnings)}
    starts = planned.start_seconds
    return [
        Row(
            id=identities[number],
            name=slot_name(planned, number),
            genre=slot_genre(planned, number),
            starts=duration_words(starts[number]),
            length=counted(slot.bars, "bar"),
            tempo=f"{slot.tempo_bpm:.6g}",
            own=slot.entry.tempo_bpm is not None,
            warning=warned.get(number, ""),
        )
        for number, slot in enumerate(planned.slots)
    ]


def sections_words(planned: SetList, number: int) -> str:
    """What is played of a beat: 'Bars: 8 mix in · 24 groove · 8 mix out'."""
    names = {"intro": "mix in", "outro": "mix out"}
    parts = [
        f"{section.bars} {names.get(section.kind, section.kind)}"
        for section in planned.slots[number].sections
    ]
    return "Bars: " + " · ".join(parts)


def _block_html(planned: SetList, number: int, chosen: bool) -> str:
    slot = planned.slots[number]
    sections = "".join(
        f'<i class="{escape(section.kind)}" style="flex:{section.bars:d}"></i>'
        for section in slot.sections
    )
    title = f"{number + 1:02} {slot_name(planned, number)}, {slot.tempo_bpm:.4g} BPM"
    return (
        f'<div class="dj-slot{" here" if chosen else ""}" title="{escape(title)}" '
        f'style="flex:{slot.duration_seconds:.1f};--e:{slot.energy:.2f}">{sections}</div>'
    )


def _scale_html(planned: SetList) -> str:
    """Where the set begins, is half through and ends, on the clock and in tempo."""
    length = planned.duration_seconds
    ends = (0.0, length / 2, length)
    slots = planned.slots
    tempos = (slots[0], slots[len(slots) // 2], slots[-1])
    marks = "".join(
        f"<span>{duration_words(moment)} <em>{slot.tempo_bpm:.4g}</em></span>"
        for moment, slot in zip(ends, tempos, strict=True)
    )
    return f'<div class="dj-scale" aria-hidden="true">{marks}</div>'


def _course_words(planned: SetList) -> str:
    curve = ENERGY_LABELS[planned.settings.energy].lower()
    return (
        f"{counted(len(planned.slots), 'beat')} in {duration_words(planned.duration_seconds)}, "
        f"{tempo_words(planned)} BPM, energy: {curve}"
    )
