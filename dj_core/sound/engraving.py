"""Drum notation of a beat: MusicXML by music21, drawn by verovio.

The drums stand where most drum kits' parts have them (Weinberg 1998): feet below, skins in the
staff, metal above it with crosses for heads. Strokes are put on the grid a drummer reads: each
quarter note in sixteenths or, where that fits its strokes better, in triplets.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from dj_core.errors import BeatError
from dj_core.host.extras import require
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS

if TYPE_CHECKING:
    from music21.stream import Measure

MAX_BARS_DRAWN = 32
SIXTEENTHS, TRIPLETS = 4, 3  # places in a quarter note


# each drum's line or space, by its pitch in the treble clef, and its head
_PLACES = {
    "kick": ("F4", "normal"),
    "pedal_hat": ("D4", "x"),
    "low_tom": ("A4", "normal"),
    "snare": ("C5", "normal"),
    "side_stick": ("C5", "x"),
    "clap": ("C5", "diamond"),
    "mid_tom": ("D5", "normal"),
    "high_tom": ("E5", "normal"),
    "ride": ("F5", "x"),
    "closed_hat": ("G5", "x"),
    "open_hat": ("G5", "circle-x"),
    "crash": ("A5", "x"),
}
_PERCUSSION = ("B5", "triangle")  # all others


def music_xml(beat: Beat, first_bar: int = 0, bars: int | None = None) -> bytes:
    """Some bars of a beat as a MusicXML file, on a percussion staff.

    Args:
        first_bar: counted from 0.
        bars: how many; None for all, at most 32.

    Raises:
        BeatError: bars the beat does not have, or more than 32.
    """
    require("music21")
    from music21 import clef, instrument, layout, metadata, meter, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    count = beat.bars - first_bar if bars is None else bars
    if not (first_bar >= 0 and 1 <= count <= MAX_BARS_DRAWN and first_bar + count <= beat.bars):
        raise BeatError(
            f"Notation shows 1 to {MAX_BARS_DRAWN} bars of a beat's {beat.bars}; "
            f"got {count} from bar {first_bar + 1}."
        )
    part = stream.Part(id="drums")
    part.partName, part.partAbbreviation = "Drums", "Dr."
    part.insert(0, instrument.UnpitchedPercussion())
    for number in range(count):
        measure = stream.Measure(number=number + 1)
        if not number:
            measure.insert(0, layout.StaffLayout(staffLines=5))
            measure.insert(0, clef.PercussionClef())
            measure.insert(0, meter.TimeSignature(str(beat.meter)))
        _fill(measure, beat, first_bar + number)
        part.append(measure)
    score = stream.Score([part])
    score.metadata = metadata.Metadata(title=beat.title or "Beat", composer="Digital DJ")
    return GeneralObjectExporter(score).parse()


def staff_svg(xml: bytes) -> str:
    """MusicXML as one drawing, in the colour of the text around it."""
    require("verovio")
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "pageWidth": 1_800,  # tenths of a millimetre
            "adjustPageHeight": True,
            "breaks": "auto",
            "footer": "none",
            "header": "none",
            "scale": 45,
            "pageMarginTop": 60,
            "pageMarginBottom": 40,
            "svgViewBox": True,
            "svgHtml5": False,
            "mnumInterval": 1,
        }
    )
    if not toolkit.loadData(xml.decode("utf-8")):
        raise BeatError("This MusicXML cannot be drawn. Make it with `music_xml`.")
    return toolkit.renderToSVG(1)


def _fill(measure: Measure, beat: Beat, bar: int) -> None:
    """Put a bar's strokes into a measure, quarter by quarter, with rests where nothing is."""
    from music21 import note, percussion

    start = bar * beat.meter.bar_quarters
    length = Fraction(beat.meter.bar_quarters).limit_denominator(16)
    hits = [
        (hit.onset_quarters - start, hit.drum.name)
        for hit in beat.hits
        if start <= hit.onset_quarters < start + beat.meter.bar_quarters
    ]
    struck: dict[Fraction, set[str]] = {}
    for quarter in range(ceil(length)):
        struck.setdefault(Fraction(quarter), set())
        inside = [(onset - quarter, name) for onset, name in hits if quarter <= onset < quarter + 1]
        steps = min(  # the grid that the strokes are nearest to
            (SIXTEENTHS, TRIPLETS),
            key=lambda steps: round(
                sum(abs(onset * steps - round(onset * steps)) / steps for onset, _ in inside), 9
            ),
        )
        for onset, name in inside:
            at = min(quarter + Fraction(round(onset * steps), steps), length - Fraction(1, steps))
            struck.setdefault(at, set()).add(name)
    starts = sorted(struck)
    for at, following in zip(starts, [*starts[1:], length], strict=True):
        quarters = following - at
        notes = []
        places = (_PLACES.get(name, _PERCUSSION) for name in sorted(struck[at]))
        for step, head in dict.fromkeys(places):
            written = note.Unpitched(displayName=step, quarterLength=quarters)
            written.notehead, written.stemDirection = head, "up"
            notes.append(written)
        if len(notes) > 1:
            chord = percussion.PercussionChord(notes, quarterLength=quarters)
            chord.stemDirection = "up"
            measure.append(chord)
        else:
            measure.append(notes or note.Rest(quarterLength=quarters))


assert set(_PLACES) <= {drum.name for drum in DRUMS}
