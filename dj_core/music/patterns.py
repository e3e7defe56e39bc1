"""Reads the text notation of the starter patterns and training phrases (`.beat`) into beats.

One file per genre, named after it (``house.beat``). A pattern is a title line, settings, and one
row per drum::

    beat: Loft shuffle
    tempo: 122  swing: 57
    BD |X... x... x... x...|%|
    SD |.... x..g .... x...|.... x..g .g.. x.2.|  +6ms
    CH |x.ox x.ox x.ox x.ox|%|

**Title line.** ``beat: TITLE`` or ``fill: TITLE`` opens a pattern; titles are unique in a file.
The title of a fill ends in "fill", so that a file named after it says what it is.

**Settings**, ``key: value`` pairs, as many to a line as fit. Those before the first pattern of a
file hold for all its patterns.

==========  ======================================================================================
``tempo``   quarter notes a minute, 10 to 600 (120)
``meter``   as in 4/4, 3/4, 12/8 (4/4)
``steps``   characters in a bar (as many as the bar has sixteenths)
``swing``   how far into its pair the second sixteenth falls, in percent from 50 (straight) over
            66.7 (triplets) to 75; ``60/8`` swings eighths instead (50)
``bars``    number of bars, 1 to 16, where the file shall be checked for it (counted)
``role``    what it is for in a track: intro, groove, build, break, drop or outro (groove)
``energy``  1 (least) to 5 (most) (3)
``touch``   ``hand``, ``machine`` or ``exact``: how much shaping velocities get (hand)
==========  ======================================================================================

**Rows.** A drum's name or two letters (`music.drums`), then bars between ``|``. Spaces are for
the eye. ``%`` as a bar repeats the bar before, ``%%`` the bar two before.

=============  ===================================================================================
``.``          rest
``g``          ghost stroke
``o``          soft stroke
``x``          normal stroke
``X``          accent
``f F``        flam: a grace stroke 28 ms ahead of a normal or accented one
``2`` … ``8``  a roll: that many even strokes in one step, the later ones a little softer
``(...)``      one whole beat shared evenly by the characters inside, always unswung: ``(xxx)`` is
               an eighth-note triplet in 4/4
``[...]``      half a beat shared likewise: ``[xxx]`` is a sixteenth-note triplet in 4/4
=============  ===================================================================================

**Feel.** After the last ``|`` a row may lean: ``+8ms`` is laid back, ``-6ms`` pushed; ``+2/96`` is
in 96ths of a quarter. A pushed stroke on the very first step stays at 0. ``58%`` there is the row's
own swing. A row may have both: ``| +8ms 58%``.

**Conditions.** There too, ``12steps`` lets the row go round in 12 steps of its own, and ``@2.7:…``
asks something of the stroke in bar 2, step 7 (``@*:…`` of every stroke of the row), with commas
between: ``50%`` a chance; ``1:2`` to ``4:4``, ``first`` or ``not-first`` its loops; ``x4`` four
strokes, a ratchet (``x4-60`` 60% softer to its end, ``x4+60`` louder); ``flam`` a grace stroke a
32nd of a quarter ahead (``flam/16``: a 16th of one). ``music.conditions`` says what each means::

    CH |x.ox x.ox x.ox x.ox|%|  +8ms  12steps  @1.3:50%  @2.4:x4-60,1:2

**Shaping.** No randomness: a stroke's velocity follows from its drum, its level, its place in the
bar and how many strokes of its row came before; see ``music.touch``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dj_core.errors import BeatError, PatternError
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Hit, Meter, Provenance
from dj_core.music.conditions import LOOPS, Condition
from dj_core.music.drums import DRUMS, LANE
from dj_core.music.genres import GENRE, MOST_ENERGY, ROLES
from dj_core.music.touch import LEVELS, TOUCHES, beat_quarters, velocity, weight
from dj_core.product import ASSETS

STARTER_FOLDER = ASSETS / "starter"
PATTERN_SUFFIX = ".beat"

FLAMS: dict[str, float] = {"f": LEVELS["x"], "F": LEVELS["X"]}
RATCHETS: dict[str, int] = {str(strokes): strokes for strokes in range(2, 9)}
REST = "."
RATCHET_TAIL = 0.8  # level of a ratchet's later strokes against its first
FLAM_SECONDS = 0.028
FLAM_GRACE = 0.4  # level of a grace stroke against its main stroke

BRACKETS = {"(": (")", 1), "[": ("]", 2)}  # what closes them, and how many make a beat

FOUR_FOUR = Meter()
MAX_PATTERN_BARS = 16
MAX_STEPS = 96
MAX_FEEL_QUARTERS = 0.125  # half a sixteenth: further away, write another step
MIN_SWING, MAX_SWING = 50, 75

_LANE_OF_LABEL = {label: LANE[drum.name] for drum in DRUMS for label in (drum.name, drum.short)}
_TITLE_LINE = re.compile(r"(beat|fill):(.*)")
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 '-]{0,59}")
_SETTING = re.compile(r"([a-z]+):[ \t]*(\S+)\s*", re.ASCII)
_NUMBER = re.compile(r"\d{1,3}(\.\d{1,3})?", re.ASCII)
_SWING = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%?(?:/(8|16))?", re.ASCII)
_OWN_LENGTH = re.compile(r"(\d{1,4})steps", re.ASCII)
_ASKS = re.compile(r"@(?:\*|(\d{1,2})\.(\d{1,2})):(\S+)", re.ASCII)
_CHANCE = re.compile(r"(\d{1,3})%", re.ASCII)
_RATCHET = re.compile(r"x([2-8])([+-]\d{1,3})?", re.ASCII)
_SOFT_FLAM = re.compile(r"flam(?:/(\d{1,2}))?", re.ASCII)
_FEEL = re.compile(r"([+-]\d{1,2}(?:\.\d)?)(ms|/96)", re.ASCII)


def load_patterns(folder: Path = STARTER_FOLDER) -> tuple[Beat, ...]:
    """Every pattern of every ``GENRE.beat`` in `folder`, by genre, then in the file's order.

    Raises:
        PatternError: no such files, one that cannot be read, or a pattern that is wrong.
    """
    paths = sorted(folder.glob(f"*{PATTERN_SUFFIX}"))
    if not paths:
        raise PatternError(
            f"{folder} holds no starter patterns. Put a GENRE{PATTERN_SUFFIX} file there."
        )
    return tuple(beat for path in paths for beat in _patterns_in(path))


def genre_patterns(genre: str, folder: Path = STARTER_FOLDER) -> tuple[Beat, ...]:
    """The patterns of one genre, in the file's order; a fraction of the work of reading all.

    Raises:
        PatternError: no file of that genre, one that cannot be read, or a pattern that is wrong.
    """
    return _patterns_in(folder / f"{genre}{PATTERN_SUFFIX}")


def _patterns_in(path: Path) -> tuple[Beat, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PatternError(
            f"{path.name} cannot be read: {error}. Save it as UTF-8 text."
        ) from error
    return parse_patterns(text, source=path.name, genre=path.stem, collection=path.parent.name)


def parse_patterns(
    text: str, source: str, genre: str, collection: str = "starter"
) -> tuple[Beat, ...]:
    """The patterns of one file, in its order; none for a text without patterns.

    Args:
        text: the notation, as this module's docstring describes it.
        source: the file's name, for messages.
        genre: a name from `dj_core.music.genres`; every beat carries it.
        collection: what the beats' provenance names before the genre.

    Raises:
        PatternError: naming source, line, what was found and what to write.
    """
    if genre not in GENRE:
        raise PatternError(
            f"{source}: {genre!r} is no genre. Name the file after one of: {', '.join(GENRE)}."
        )
    beats: dict[str, Beat] = {}
    for draft in _drafts(text, source):
        beat = _beat(draft, genre, collection)
        if beat.title in beats:
            raise draft.title_line.error(
                f"a second pattern is called {beat.title!r}", "Give each its own title."
            )
        beats[beat.title] = beat
    return tuple(beats.values())


@dataclass(frozen=True)
class _Line:
    """One line of a file, which knows how to complain about itself."""

    source: str
    number: int
    text: str

    def error(self, problem: str, advice: str) -> PatternError:
        return PatternError(f"{self.source}, line {self.number}: {problem}. {advice}")


@dataclass(frozen=True)
class _Settings:
    """What the header of a pattern says; units as in the module's docstring."""

    tempo_bpm: float = 120.0
    meter: Meter = FOUR_FOUR
    steps: int | None = None
    swing: Fraction = Fraction(1, 2)
    swing_pair_quarters: Fraction = Fraction(1, 2)
    bars: int | None = None
    touch: float = TOUCHES["hand"]
    role: str = "groove"
    energy: int = 3

    @property
    def bar_quarters(self) -> Fraction:
        return Fraction(4 * self.meter.numerator, self.meter.denominator)

    @property
    def beat_quarters(self) -> Fraction:
        return beat_quarters(self.meter)

    @property
    def steps_per_beat(self) -> Fraction:
        steps = self.bar_quarters * 4 if self.steps is None else Fraction(self.steps)
        return steps * self.beat_quarters / self.bar_quarters


@dataclass
class _Draft:
    """A pattern whose lines are collected but not yet read as music."""

    title_line: _Line
    kind: str
    title: str
    settings: _Settings
    rows: list[_Line] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    """What one row says.

    Attributes:
        bars: the strokes of each bar.
        lean_quarters: how late all are.
        settings: the pattern's, with the row's own swing.
        own_quarters: the length it goes round in, or None for the pattern's.
        asks: by bar and step, both from 0, what is asked of strokes; (-1, -1) is every one.
    """

    lane: int
    bars: list[list[_Stroke]]
    lean_quarters: float
    settings: _Settings
    own_quarters: float | None
    asks: dict[tuple[int, int], Condition]


@dataclass(frozen=True)
class _Stroke:
    """One written stroke: where it falls in its bar, how long its step is, and its sign."""

    position_quarters: Fraction
    step_quarters: Fraction
    sign: str
    swung: bool


def _drafts(text: str, source: str) -> Iterator[_Draft]:
    defaults = _Settings()
    draft: _Draft | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = _Line(source, number, raw.strip())
        if not line.text or line.text.startswith("#"):
            continue
        title = _TITLE_LINE.fullmatch(line.text)
        if title:
            if draft:
                yield draft
            draft = _Draft(line, title[1], _title(line, title[1], title[2].strip()), defaults)
        elif "|" in line.text:
            if draft is None:
                raise line.error("a row before any pattern", "Open one with 'beat: TITLE'.")
            draft.rows.append(line)
        elif draft is None:
            defaults = _read_settings(line, defaults)
        elif draft.rows:
            raise line.error(
                f"expected a row, found {_shown(line.text)}",
                "Write settings above the rows, and rows like 'BD |x... x... x... x...|'.",
            )
        else:
            draft.settings = _read_settings(line, draft.settings)
    if draft:
        yield draft


def _title(line: _Line, kind: str, title: str) -> str:
    if not _TITLE.fullmatch(title):
        raise line.error(
            f"the title {_shown(title)} cannot name a file",
            "Use up to 60 letters, digits, spaces, hyphens and apostrophes, as in 'beat: Loft'.",
        )
    return f"{title} fill" if kind == "fill" and not title.lower().endswith("fill") else title


def _read_settings(line: _Line, settings: _Settings) -> _Settings:
    position = 0
    while position < len(line.text):
        pair = _SETTING.match(line.text, position)
        if not pair:
            raise line.error(
                f"expected settings or a row, found {_shown(line.text[position:])}",
                "Write settings like 'tempo: 124  swing: 56' and rows like 'BD |x... x...|'.",
            )
        settings = _with_setting(line, settings, pair[1], pair[2])
        position = pair.end()
    return settings


def _with_setting(line: _Line, settings: _Settings, key: str, value: str) -> _Settings:
    if key == "tempo":
        low, high = MIN_TEMPO_BPM, MAX_TEMPO_BPM
        return replace(settings, tempo_bpm=float(_number(line, key, value, low, high)))
    if key == "steps":
        return replace(settings, steps=int(_number(line, key, value, 1, MAX_STEPS, whole=True)))
    if key == "bars":
        bars = int(_number(line, key, value, 1, MAX_PATTERN_BARS, whole=True))
        return replace(settings, bars=bars)
    if key == "energy":
        return replace(settings, energy=int(_number(line, key, value, 1, MOST_ENERGY, whole=True)))
    if key == "role" and value in ROLES:
        return replace(settings, role=value)
    if key == "swing":
        return _with_swing(line, settings, value)
    if key == "meter":
        try:
            return replace(settings, meter=Meter.parse(value))
        except BeatError as error:
            raise line.error(f"meter is {_shown(value)}", str(error)) from error
    if key == "touch" and value in TOUCHES:
        return replace(settings, touch=TOUCHES[value])
    raise line.error(
        f"found {_shown(f'{key}: {value}')}",
        "Settings are tempo, meter, steps, swing, bars, energy, "
        f"role ({', '.join(ROLES)}) and touch ({', '.join(TOUCHES)}).",
    )


def _with_swing(line: _Line, settings: _Settings, value: str) -> _Settings:
    swing = _SWING.fullmatch(value)
    if not swing:
        raise line.error(f"swing is {_shown(value)}", "Write it like 'swing: 58' or '62/8'.")
    percent = _number(line, "swing", swing[1], MIN_SWING, MAX_SWING)
    pair_quarters = Fraction(8, int(swing[2] or 16))
    return replace(settings, swing=percent / 100, swing_pair_quarters=pair_quarters)


def _number(
    line: _Line, key: str, value: str, low: float, high: float, whole: bool = False
) -> Fraction:
    number = Fraction(value) if _NUMBER.fullmatch(value) else None
    if number is None or not low <= number <= high or (whole and number.denominator != 1):
        kind = "a whole number" if whole else "a number"
        raise line.error(
            f"{key} is {_shown(value)}", f"Write {kind} from {low:g} to {high:g}, as in '{key}: …'."
        )
    return number


def _beat(draft: _Draft, genre: str, collection: str) -> Beat:
    settings = draft.settings
    _check_grid(draft.title_line, settings)
    bars: int | None = settings.bars
    hits: list[Hit] = []
    seen: dict[int, int] = {}
    lengths: list[tuple[int, float]] = []
    for line in draft.rows:
        row = _read_row(line, settings)
        if row.lane in seen:
            raise line.error(
                f"{DRUMS[row.lane].label} already has a row on line {seen[row.lane]}",
                "Write one row per drum.",
            )
        if bars is not None and len(row.bars) != bars:
            raise line.error(
                f"this row has {len(row.bars)} bars where the pattern has {bars}",
                "Give every row the same bars ('%' repeats one).",
            )
        seen[row.lane], bars = line.number, len(row.bars)
        hits += _row_hits(line, row)
        if row.own_quarters is not None:
            lengths.append((row.lane, row.own_quarters))
    if bars is None or not hits:
        raise draft.title_line.error(
            f"{draft.title!r} has no strokes", "Add a row like 'BD |x... x... x... x...|'."
        )
    return Beat(
        tuple(hits),
        bars=bars,
        tempo_bpm=settings.tempo_bpm,
        meter=settings.meter,
        genre=genre,
        title=draft.title,
        provenance=Provenance(
            source=f"{collection}/{genre}",
            settings={"kind": draft.kind, "role": settings.role, "energy": settings.energy},
        ),
        lane_lengths=tuple(lengths),
    )


def _check_grid(line: _Line, settings: _Settings) -> None:
    if settings.steps_per_beat.denominator != 1:
        beats = settings.bar_quarters / settings.beat_quarters
        raise line.error(
            f"{settings.steps} steps do not share {settings.meter} evenly",
            f"Write 'steps: N' with a multiple of {beats} for its {beats} beats.",
        )
    straight = settings.swing == Fraction(1, 2)
    if not straight and (settings.bar_quarters / settings.swing_pair_quarters).denominator != 1:
        raise line.error(
            f"a bar of {settings.meter} does not hold whole pairs to swing",
            "Leave swing out or swing a smaller note.",
        )


def _read_row(line: _Line, settings: _Settings) -> _Row:
    label, *bars, tail = (part.strip() for part in line.text.split("|"))
    if label not in _LANE_OF_LABEL:
        known = ", ".join(f"{drum.short} {drum.name}" for drum in DRUMS)
        raise line.error(f"no drum is called {_shown(label)}", f"Drums: {known}.")
    if not bars or len(bars) > MAX_PATTERN_BARS:
        raise line.error(
            f"found {len(bars)} closed bars",
            f"Write 1 to {MAX_PATTERN_BARS} bars, each closed by '|'.",
        )
    strokes: list[list[_Stroke]] = []
    for bar in bars:
        if bar in ("%", "%%"):
            if len(strokes) < len(bar):
                raise line.error(f"'{bar}' has no bar to repeat", "Write that bar out first.")
            strokes.append(strokes[-len(bar)])
        else:
            strokes.append(_read_bar(line, settings, bar))
    lean_quarters, own_quarters = 0.0, None
    asks: dict[tuple[int, int], Condition] = {}
    step_quarters = settings.beat_quarters / settings.steps_per_beat
    for feel in tail.split():
        if _SWING.fullmatch(feel):
            settings = _with_swing(line, settings, feel)
        elif own := _OWN_LENGTH.fullmatch(feel):
            own_quarters = float(int(own[1]) * step_quarters)
        elif asked := _ASKS.fullmatch(feel):
            place = (int(asked[1]) - 1, int(asked[2]) - 1) if asked[1] else (-1, -1)
            asks[place] = _condition(line, asked[3], float(step_quarters))
        else:
            lean_quarters = _lean_quarters(line, settings, feel)
    _check_grid(line, settings)
    return _Row(_LANE_OF_LABEL[label], strokes, lean_quarters, settings, own_quarters, asks)


def _condition(line: _Line, text: str, step_quarters: float) -> Condition:
    """What is asked of a stroke, as in '50%,1:2,x4-60,flam'."""
    asked: dict[str, Any] = {}
    for part in text.split(","):
        if chance := _CHANCE.fullmatch(part):
            asked["chance_percent"] = int(chance[1])
        elif part and part in LOOPS:
            asked["loops"] = part
        elif ratchet := _RATCHET.fullmatch(part):
            ramp = int(ratchet[2] or 0)
            asked |= {"strokes": int(ratchet[1]), "ramp_percent": ramp}
            asked["span_quarters"] = step_quarters
        elif flam := _SOFT_FLAM.fullmatch(part):
            asked["flam_quarters"] = 1 / max(1, int(flam[1] or 32))
        else:
            raise line.error(
                f"{_shown(part)} is no condition",
                "Write 50%, 1:2 to 4:4, first, not-first, x2 to x8 (x4-60) or flam (flam/16).",
            )
    try:
        return Condition(**asked)
    except BeatError as error:
        raise line.error(f"{_shown(text)} cannot be", str(error)) from error


def _read_bar(line: _Line, settings: _Settings, bar: str) -> list[_Stroke]:
    step = settings.beat_quarters / settings.steps_per_beat
    signs = "".join(bar.split())
    strokes: list[_Stroke] = []
    position, index = Fraction(0), 0
    while index < len(signs):
        if signs[index] in BRACKETS:
            closing, to_a_beat = BRACKETS[signs[index]]
            span = settings.beat_quarters / to_a_beat
            end = signs.find(closing, index)
            inside = signs[index + 1 : end] if end > 0 else ""
            if not inside or position % span:
                raise line.error(
                    f"a bracket in |{_shown(bar)}| is empty, open or off its place",
                    "Brackets replace exactly one beat, as (xxx), or half of one, as [xxx].",
                )
            part = span / len(inside)
            for count, sign in enumerate(inside):
                strokes.append(_stroke(line, position + count * part, part, sign, swung=False))
            position, index = position + span, end + 1
        else:
            strokes.append(_stroke(line, position, step, signs[index], swung=True))
            position, index = position + step, index + 1
    if position != settings.bar_quarters:
        raise line.error(
            f"|{_shown(bar)}| fills {position / step} steps of {settings.bar_quarters / step}",
            "Write every step, '.' for a rest.",
        )
    return [stroke for stroke in strokes if stroke.sign != REST]


def _stroke(line: _Line, position: Fraction, step: Fraction, sign: str, swung: bool) -> _Stroke:
    if sign != REST and sign not in LEVELS and sign not in FLAMS and sign not in RATCHETS:
        known = " ".join((REST, *LEVELS, *FLAMS, *RATCHETS))
        raise line.error(
            f"{_shown(sign)} is no stroke", f"Strokes: {known}, (beats) and [half beats]."
        )
    return _Stroke(position, step, sign, swung)


def _lean_quarters(line: _Line, settings: _Settings, feel: str) -> float:
    match = _FEEL.fullmatch(feel)
    if not match:
        raise line.error(
            f"{_shown(feel)} follows the last bar",
            "Close every bar with '|'; behind the last may stand a feel: +8ms, -1/96 or 58%.",
        )
    amount = float(match[1])
    lean = amount / 96 if match[2] == "/96" else amount / 1000 * settings.tempo_bpm / 60
    if abs(lean) > MAX_FEEL_QUARTERS:
        raise line.error(
            f"{feel} is {abs(lean):.3f} quarters", f"Lean {MAX_FEEL_QUARTERS} quarters at most."
        )
    return lean


def _row_hits(line: _Line, row: _Row) -> Iterator[Hit]:
    settings, drum, lean_quarters = row.settings, DRUMS[row.lane], row.lean_quarters
    end_quarters = float(len(row.bars) * settings.bar_quarters)
    step_quarters = settings.beat_quarters / settings.steps_per_beat
    unmet = row.asks.keys() - {(-1, -1)}
    count = 0
    for bar, strokes in enumerate(row.bars):
        for stroke in strokes:
            place = bar, int(stroke.position_quarters / step_quarters)
            condition = row.asks.get(place, row.asks.get((-1, -1)))
            unmet -= {place}
            heavier = weight(stroke.position_quarters, settings.meter)
            for ahead_quarters, position, level in _sounding(stroke, settings):
                written = float(bar * settings.bar_quarters + position) - ahead_quarters
                if written < 0:
                    raise line.error(
                        "a flam on the very first step has no room for its grace stroke",
                        "Write an accent X there.",
                    )
                onset = max(0.0, written + lean_quarters)
                if onset >= end_quarters:
                    raise line.error(
                        "the last stroke leans over the end of the pattern",
                        "Lean less, or write it earlier.",
                    )
                struck = velocity(drum, level, heavier, count, settings.touch)
                yield Hit(onset, row.lane, struck, condition=condition)
            count += 1
    if unmet:
        bar, step = min(unmet)
        raise line.error(
            f"there is no stroke in bar {bar + 1}, step {step + 1}",
            "Ask something of one there is.",
        )


def _sounding(stroke: _Stroke, settings: _Settings) -> Iterator[tuple[float, Fraction, float]]:
    """What sounds for one sign: (quarters ahead of time, position in the bar, level)."""
    position = stroke.position_quarters
    if stroke.sign in LEVELS:
        yield 0.0, _swung(position, stroke, settings), LEVELS[stroke.sign]
    elif stroke.sign in FLAMS:
        ahead_quarters = FLAM_SECONDS * settings.tempo_bpm / 60
        level = FLAMS[stroke.sign]
        yield ahead_quarters, _swung(position, stroke, settings), level * FLAM_GRACE
        yield 0.0, _swung(position, stroke, settings), level
    else:
        strokes = RATCHETS[stroke.sign]
        for part in range(strokes):
            at = position + stroke.step_quarters * part / strokes
            tail = RATCHET_TAIL if part else 1.0
            yield 0.0, _swung(at, stroke, settings), LEVELS["x"] * tail


def _swung(position: Fraction, stroke: _Stroke, settings: _Settings) -> Fraction:
    """`position` with each pair's first half stretched and its second half squeezed."""
    if not stroke.swung:
        return position
    pair = settings.swing_pair_quarters
    inside = position % pair
    if inside <= pair / 2:
        return position - inside + inside * 2 * settings.swing
    return position - inside + pair - (pair - inside) * 2 * (1 - settings.swing)


def _shown(text: str) -> str:
    """`text` quoted and cut to a length that fits a message."""
    return repr(text if len(text) <= 40 else text[:39] + "…")
