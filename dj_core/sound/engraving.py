"""Drum notation of a beat: MusicXML by music21, drawn by verovio.

The drums stand where most drum kits' parts have them (Weinberg 1998): feet below, skins in the
staff, metal above it with crosses for heads. Strokes are put on the grid a drummer reads: each
quarter note in sixteenths or, where that fits its strokes better, in triplets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dj_core.errors import BeatError
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUMS

if TYPE_CHECKING:
    from music21.stream import Measure, Score

MAX_BARS_DRAWN = 32
SIXTEENTHS, TRIPLETS = 4, 3  # places in a quarter note


@dataclass(frozen=True)
class _Place:
    """Where a drum is written: a line or space by its pitch in the treble clef, and its head."""

    step: str
    head: str = "normal"


_PLACES = {
    "kick": _Place("F4"),
    "pedal_hat": _Place("D4", "x"),
    "low_tom": _Place("A4"),
    "snare": _Place("C5"),
    "side_stick": _Place("C5", "x"),
    "clap": _Place("C5", "diamond"),
    "mid_tom": _Place("D5"),
    "high_tom": _Place("E5"),
    "ride": _Place("F5", "x"),
    "closed_hat": _Place("G5", "x"),
    "open_hat": _Place("G5", "circle-x"),
    "crash": _Place("A5", "x"),
}
_OTHERS = _Place("B5", "triangle")  # percussion


def music_xml(beat: Beat, first_bar: int = 0, bars: int | None = None) -> bytes:
    """Some bars of a beat as a MusicXML file, on a percussion staff.

    Args:
        first_bar: counted from 0.
        bars: how many; None for all, at most 32.

    Raises:
        BeatError: bars the beat does not have, or more than 32.
    """
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    count = beat.bars - first_bar if bars is None else bars
    if not (first_bar >= 0 and 1 <= count <= MAX_BARS_DRAWN and first_bar + count <= beat.bars):
        raise BeatError(
            f"Notation shows 1 to {MAX_BARS_DRAWN} bars of a beat's {beat.bars}; "
            f"got {count} from bar {first_bar + 1}."
        )
    return GeneralObjectExporter(_score(beat, first_bar, count)).parse()


def staff_svg(xml: bytes, width: int = 1_800) -> str:
    """MusicXML as one drawing, in the colour of the text around it.

    Args:
        width: of the page in tenths of a millimetre; narrower pages have fewer bars a line.
    """
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "pageWidth": width,
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


def _score(beat: Beat, first_bar: int, bars: int) -> Score:
    from music21 import clef, instrument, layout, metadata, meter, stream

    part = stream.Part(id="drums")
    part.partName, part.partAbbreviation = "Drums", "Dr."
    part.insert(0, instrument.UnpitchedPercussion())
    for number in range(bars):
        measure = stream.Measure(number=number + 1)
        if not number:
            measure.insert(0, layout.StaffLayout(staffLines=5))
            measure.insert(0, clef.PercussionClef())
            measure.insert(0, meter.TimeSignature(str(beat.meter)))
        _fill(measure, beat, first_bar + number)
        part.append(measure)
    score = stream.Score([part])
    score.metadata = metadata.Metadata(title=beat.title or "Beat", composer="Digital DJ")
    return score


def _fill(measure: Measure, beat: Beat, bar: int) -> None:
    """Put a bar's strokes into a measure, quarter by quarter, with rests where nothing is."""
    from fractions import Fraction

    start = bar * beat.meter.bar_quarters
    length = Fraction(beat.meter.bar_quarters).limit_denominator(16)
    hits = [
        (hit.onset_quarters - start, hit.drum.name)
        for hit in beat.hits
        if start <= hit.onset_quarters < start + beat.meter.bar_quarters
    ]
    struck: dict[Fraction, set[str]] = {}
    for quarter in range(-(-length.numerator // length.denominator)):
        inside = [(onset, name) for onset, name in hits if quarter <= onset < quarter + 1]
        places = _grid([onset - quarter for onset, _ in inside])
        for onset, name in inside:
            step = Fraction(round((onset - quarter) * places), places)
            latest = length - Fraction(1, places)
            struck.setdefault(min(quarter + step, latest), set()).add(name)
    onsets = sorted({*struck, *map(Fraction, range(length.__ceil__()))})
    for place, following in zip(onsets, [*onsets[1:], length], strict=True):
        measure.append(_element(sorted(struck.get(place, ())), following - place))


def _grid(onsets: Iterable[float]) -> int:
    """The places in a quarter note that strokes in it are nearest to."""
    onsets = list(onsets)

    def off(places: int) -> float:
        return sum(abs(onset * places - round(onset * places)) / places for onset in onsets)

    return TRIPLETS if off(TRIPLETS) < off(SIXTEENTHS) - 1e-9 else SIXTEENTHS


def _element(names: list[str], quarters: Any) -> Any:  # noqa: ANN401 - music21 objects, fractions
    from music21 import note, percussion

    if not names:
        return note.Rest(quarterLength=quarters)
    places = {(place.step, place.head): place for place in (_PLACES.get(n, _OTHERS) for n in names)}
    notes = []
    for place in places.values():
        written = note.Unpitched(displayName=place.step, quarterLength=quarters)
        written.notehead = place.head
        written.stemDirection = "up"
        notes.append(written)
    if len(notes) == 1:
        return notes[0]
    chord = percussion.PercussionChord(notes, quarterLength=quarters)
    chord.stemDirection = "up"
    return chord


assert set(_PLACES) <= {drum.name for drum in DRUMS}
