"""Hostile MIDI files without end, each from its own seed; and what reading them came to.

    .venv/bin/python tests/hostile_midi.py --cases 20000      the size for a night (make fuzz)
    .venv/bin/python tests/hostile_midi.py --only 1:1234      one case again, with its traceback

Every case is read as an import reads it: parsed, made a beat, sketched, written again, and its
words about its making looked at. It may be accepted or refused with a MidiError; anything else
is a finding, as is a case of ten seconds of work. The process gives itself 2 GiB of memory.
What is accepted is counted again by mido: no note may be missing, but where the reading says that a
part of the file was not read (`PARTLY_READ`) and a DJ is told so.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SECONDS_PER_CASE = 10
MEMORY_BYTES = 2 * 1024**3
HEADER = b"MThd\x00\x00\x00\x06"
END = b"\x00\xff\x2f\x00"
EDGES = (0, 1, 2, 3, 4, 5, 6, 9, 15, 16, 63, 64, 65, 96, 127, 128, 129, 255, 256, 480, 0x7FFF,
         0x8000, 0xE728, 0xFFFF, 0xFFFFFF, 0x0FFFFFFF, 0x10000000, 0x7FFFFFFF, 0x80000000,
         0xFFFFFFFF)  # fmt: skip
OTHER_FORMATS = (
    b"PK\x03\x04", b"RIFF\x10\x00\x00\x00RMIDdata", b"\x1f\x8b\x08", b"\x89PNG\r\n\x1a\n",
    b"\x80\x04\x95", b"%PDF-1.7", b"<svg onload=alert(1)>", b"\xff\xfe", b"MThd", b"", b"\x00",
    "MThd".encode("utf-16"), b"mthd\x00\x00\x00\x06",
)  # fmt: skip
PARTLY_READ = frozenset({"cut-off", "fewer-tracks", "second-file", "unread-bytes"})
HOSTILE_TELLINGS = (
    b"[" * 100_000, b'{"a":' * 50_000, b'{"provenance": 7}', b'{"provenance": {"seed": 1e999}}',
    b'{"provenance": {"seed": ' + b"9" * 6_000 + b"}}", b"{}", b"null", b'"\\ud800"', b"\xff\xfe",
    b'{"provenance": {"settings": {"genre": ["x"]}}}', b'{"provenance": {"edited": NaN}}',
    b'{"target": "mpc", "provenance": {"source": "<script>"}}', b'{"target": []}',
    b'{"provenance": {"model": "../../etc/passwd", "seed": -1}}',
)  # fmt: skip


# -- making one ------------------------------------------------------------------------------------


def hostile_file(seed: int, case: int) -> tuple[str, bytes]:
    """The kind and the bytes of a case; the same for the same numbers on every machine."""
    draw = random.Random(f"hostile {seed} {case}")
    maker = draw.choices(MAKERS, WEIGHTS)[0]
    content = maker(draw)
    if draw.random() < 0.15:
        content = _damaged(draw, content)
    return maker.__name__.lstrip("_"), content


def _number(draw: random.Random, size: int) -> bytes:
    """A number at an edge, or any, in `size` bytes."""
    value = draw.choice(EDGES) if draw.random() < 0.8 else draw.getrandbits(8 * size)
    return (value % (1 << 8 * size)).to_bytes(size)


def _length(value: int) -> bytes:
    """A variable-length quantity, also longer than MIDI allows."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def _delta(draw: random.Random) -> bytes:
    roll = draw.random()
    if roll < 0.9:
        return _length(draw.choice((0, 0, 1, 60, 120, 240, 480)))
    if roll < 0.96:
        return _length(draw.choice(EDGES))
    return b"\xff" * draw.randrange(1, 9) + b"\x7f"


def _event(draw: random.Random) -> bytes:
    """One event without its delta, mostly right."""
    roll = draw.random()
    if roll < 0.6:
        kind, channel = draw.choice((0x80, 0x90, 0x90)), draw.choice((9, 9, 9, 0, 15))
        return bytes((kind | channel, draw.randrange(128), draw.randrange(128)))
    if roll < 0.7:  # running status, also where there is none
        return bytes((draw.randrange(128), draw.randrange(128)))
    if roll < 0.78:
        kind = draw.choice((0xA0, 0xB0, 0xC0, 0xD0, 0xE0))
        return bytes((kind, *(draw.randrange(128) for _ in range(1 if kind in (192, 208) else 2))))
    if roll < 0.93:
        kind = draw.choice((0, 1, 3, 0x20, 0x21, 0x2F, 0x51, 0x51, 0x54, 0x58, 0x58, 0x59, 0x7F))
        usual = {0x51: 3, 0x58: 4, 0x59: 2, 0x2F: 0, 0x20: 1}.get(kind, draw.randrange(12))
        size = usual if draw.random() < 0.8 else draw.randrange(300)
        claimed = size if draw.random() < 0.9 else draw.choice(EDGES)
        return bytes((0xFF, kind)) + _length(claimed) + draw.randbytes(size)
    if roll < 0.97:
        data = draw.randbytes(draw.randrange(40))
        return draw.choice((b"\xf0", b"\xf7")) + _length(len(data)) + data
    return bytes((draw.randrange(0xF1, 0xFF), draw.randrange(256)))


def _track(draw: random.Random, body: bytes) -> bytes:
    """A chunk around a track's events, mostly true to its length."""
    name = b"MTrk" if draw.random() < 0.96 else draw.randbytes(4)
    size = len(body).to_bytes(4) if draw.random() < 0.93 else _number(draw, 4)
    return name + size + body


def _header(draw: random.Random, tracks: int) -> bytes:
    if draw.random() < 0.75:
        return HEADER + b"\x00\x01" + tracks.to_bytes(2) + b"\x01\xe0"
    size = b"\x00\x00\x00\x06" if draw.random() < 0.8 else _number(draw, 4)
    count = tracks.to_bytes(2) if draw.random() < 0.6 else _number(draw, 2)
    return b"MThd" + size + _number(draw, 2) + count + _number(draw, 2)


def _by_grammar(draw: random.Random) -> bytes:
    """Header, chunks and events, each of them now and then wrong."""
    tracks = draw.choice((1, 1, 2, 3, 70))
    parts = []
    for _ in range(tracks):
        count = draw.choice((0, 1, 5, 40, 200) if tracks < 9 else (0, 3))
        body = b"".join(_delta(draw) + _event(draw) for _ in range(count))
        if draw.random() < 0.9:
            body += END
        if draw.random() < 0.05:
            body += END
        parts.append(_track(draw, body))
    return _header(draw, tracks) + b"".join(parts)


def _ours(draw: random.Random) -> bytes:
    """A file of our own writing, whole."""
    from dj_core.files.midi import MidiSettings, midi_bytes
    from dj_core.music.beat import Beat, Hit, Meter
    from dj_core.music.drums import DRUMS

    meter, bars = (
        draw.choice((Meter(), Meter(3, 4), Meter(7, 16), Meter(64, 1))),
        draw.choice((1, 4)),
    )
    length = bars * meter.bar_quarters
    hits = tuple(
        Hit(draw.random() * length * 0.999, draw.randrange(len(DRUMS)), draw.randrange(1, 128))
        for _ in range(draw.choice((1, 8, 120)))
    )
    beat = Beat(
        hits, bars, draw.choice((None, 10.0, 124.0, 600.0)), meter, title="x" * draw.randrange(9)
    )
    return midi_bytes(beat, settings=MidiSettings(midi_type=draw.choice((0, 1))))


def _damaged_ours(draw: random.Random) -> bytes:
    """A file of ours with a few bytes changed, taken out, doubled or cut off."""
    return _damaged(draw, _ours(draw))


def _damaged(draw: random.Random, content: bytes) -> bytes:
    content = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5, 30))):
        place = draw.randrange(len(content) + 1)
        action = draw.randrange(7)
        if action == 0 and content:
            content[place % len(content)] ^= 1 << draw.randrange(8)
        elif action == 1 and content:
            content[place % len(content)] = draw.choice((0, 0x7F, 0x80, 0xFF, 0xF7))
        elif action == 2:
            del content[place : place + draw.choice((1, 2, 9, 100))]
        elif action == 3:
            content[place:place] = content[place : place + draw.choice((1, 8, 300))]
        elif action == 4:
            content[place:place] = draw.randbytes(draw.choice((1, 4, 50)))
        elif action == 5:
            content[place : place + 4] = _number(draw, 4)
        elif draw.random() < 0.3:
            del content[place:]
    return bytes(content)


def _spliced(draw: random.Random) -> bytes:
    """The head of one file with the rest of another."""
    first, second = _ours(draw), _by_grammar(draw)
    return first[: draw.randrange(len(first) + 1)] + second[draw.randrange(len(second) + 1) :]


def _noise(draw: random.Random) -> bytes:
    """Noise, with a proper head or another format's."""
    head = draw.choice((HEADER + b"\x00\x01\x00\x01\x01\xe0", *OTHER_FORMATS))
    body = draw.randbytes(draw.choice((0, 3, 40, 400, 20_000)))
    if draw.random() < 0.4:
        body = b"MTrk" + len(body).to_bytes(4) + body
    return head + body


def _giant(draw: random.Random) -> bytes:
    """As much as the limits allow, and one more: notes, texts, tracks, bars, hours."""
    kind = draw.randrange(8)
    count = (
        draw.choice((20_000, 66_000)) if draw.random() < 0.9 else draw.choice((199_000, 200_001))
    )
    if kind == 0:  # everything at once, and nothing ever ends
        body = b"\x00\x99\x24\x7f" + b"\x00\x24\x7f" * count
    elif kind == 1:
        body = b"\x00\x99\x24\x7f" + b"\x01\x24\x7f\x00\x24\x00" * (count // 2)
    elif kind == 2:
        body = b"\x00\x89\x24\x00" * count
    elif kind == 3:
        body = b"\x00\xff\x01" + _length(1_900_000) + b"x" * 1_900_000 + b"\x00\x99\x24\x7f"
    elif kind == 4:
        body = b"\x00\xff\x51\x03\x07\xa1\x20" * count + b"\x00\x99\x24\x7f"
    elif kind == 5:  # notes far apart: as many bars as an hour can have
        body = b"\x00\xff\x58\x04\x01\x05\x18\x08" + b"\x83\x60\x99\x24\x7f" * min(count, 30_000)
    elif kind == 6:
        body = b"\x00\xff\x20\x01\x09" * count + b"\x00\x99\x24\x7f"
    else:
        body = b"".join(
            b"\x01" + bytes((0x90 | n % 16, n % 128, n % 127 + 1)) for n in range(count // 2)
        )
    return HEADER + b"\x00\x00\x00\x01\x01\xe0MTrk" + len(body + END).to_bytes(4) + body + END


def _told(draw: random.Random) -> bytes:
    """A file that tells lies about its making, where ours tell the truth."""
    text = b"digital-dj " + draw.choice(HOSTILE_TELLINGS)
    if draw.random() < 0.3:
        text = _damaged(draw, text)
    body = b"\x00\xff\x01" + _length(len(text)) + text + b"\x00\x99\x24\x7f\x60\x24\x00" + END
    return HEADER + b"\x00\x00\x00\x01\x01\xe0MTrk" + len(body).to_bytes(4) + body


def _timed(draw: random.Random) -> bytes:
    """Tempos, meters and divisions no music has."""
    body = b"\x00\xff\x51\x03" + _number(draw, 3)
    body += b"\x00\xff\x58\x04" + bytes(draw.choice(EDGES) % 256 for _ in range(4))
    body += (
        _length(draw.choice(EDGES)) + b"\x99\x24\x7f" + _length(draw.choice(EDGES)) + b"\x24\x00"
    )
    body += _length(draw.choice(EDGES)) + END[1:]
    head = HEADER + b"\x00\x00\x00\x01" + _number(draw, 2)
    return head + b"MTrk" + len(body).to_bytes(4) + body


MAKERS: tuple[Callable[[random.Random], bytes], ...] = (
    _by_grammar, _ours, _damaged_ours, _spliced, _noise, _giant, _told, _timed,
)  # fmt: skip
WEIGHTS = (30, 3, 27, 8, 8, 2, 5, 17)


# -- reading it ------------------------------------------------------------------------------------


class TooLongError(BaseException):
    """Raised by the clock in the middle of a case."""


@dataclass
class Outcome:
    """What a number of cases came to.

    Attributes:
        reasons: how often each kind of refusal came, by the first words of its message.
        escaped: what was raised besides MidiError, with its case.
        lost: cases whose beat has not every note of the file.
        partly: accepted cases of which a part was not read, as was said.
        witnessed: other accepted cases that mido could count as well.
    """

    cases: int = 0
    accepted: int = 0
    refused: int = 0
    partly: int = 0
    witnessed: int = 0
    kinds: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)
    escaped: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    slowest_case: str = ""
    peak_megabytes: float = 0.0

    @property
    def clean(self) -> bool:
        """Nothing escaped, was lost or took too long."""
        return not (self.escaped or self.lost or self.too_long)


def read_as_an_import_does(content: bytes) -> tuple[int, dict[str, int]]:
    """Everything that is done to a stranger's file.

    Returns its notes, read or counted, and what was odd about it. Raises MidiError.
    """
    from dj_core.corpus.near_duplicates import Strokes, sketches
    from dj_core.files.beat_json import beat_from_json, beat_to_json
    from dj_core.files.midi import (
        drum_map_of,
        drum_map_vote,
        midi_bytes,
        outline_of,
        parse_midi,
        read_beat,
        read_midi,
        read_midi_report,
    )

    report = read_midi_report(content)
    events = parse_midi(content)
    outline = outline_of(events, drum_map_of(events) or drum_map_vote(events))
    assert len(outline.notes) == len(report.beat.hits) == sum(report.note_counts.values())
    sketches([Strokes(outline.onsets_quarters, outline.lanes, outline.frame.meter)])
    assert report.warnings or not PARTLY_READ & report.oddities.keys()
    beat = read_beat(content)
    if len(beat.hits) < 5_000:  # the same for more of them, only slower
        assert beat_from_json(beat_to_json(beat)) == beat
        again = read_midi(midi_bytes(beat, "as-in-corpus"))
        assert len(again.hits) == len(beat.hits)
    return len(report.beat.hits) + report.notes_left_out, report.oddities


def counted_by_mido(content: bytes) -> int | None:
    """Note-ons as mido counts them; None where it cannot read the file at all."""
    import mido

    try:
        file = mido.MidiFile(file=BytesIO(content), clip=True)
        return sum(
            message.type == "note_on" and message.velocity > 0
            for track in file.tracks
            for message in track
        )
    except Exception:  # mido raises whatever its own reading trips over: EOFError, IndexError, …
        return None  # a witness that saw nothing; the file was checked before


def run_cases(seed: int, cases: range) -> Outcome:
    """Read every case of a seed."""
    from dj_core.errors import MidiError

    outcome = Outcome()
    signal.signal(signal.SIGPROF, _ring)
    for case in cases:
        kind, content = hostile_file(seed, case)
        name = f"{seed}:{case} {kind}"
        outcome.cases += 1
        outcome.kinds[kind] += 1
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS_PER_CASE)
        try:
            notes, oddities = read_as_an_import_does(content)
        except MidiError as error:
            outcome.refused += 1
            outcome.reasons[" ".join(re.sub(r"[\d,.]+", "…", str(error)).split()[:5])] += 1
        except TooLongError:
            outcome.too_long.append(name)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome.escaped.append(f"{name}: {error!r}"[:300])
        else:
            outcome.accepted += 1
            signal.setitimer(signal.ITIMER_PROF, 0)
            if PARTLY_READ & oddities.keys():
                outcome.partly += 1
            else:
                _count_again(outcome, name, content, notes, oddities)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - started
        if seconds > outcome.slowest_seconds:
            outcome.slowest_seconds, outcome.slowest_case = seconds, name
    outcome.peak_megabytes = peak_megabytes()
    return outcome


def peak_megabytes() -> float:
    """Of this program alone; what `getrusage` says begins with what its parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def _count_again(
    outcome: Outcome, name: str, content: bytes, notes: int, oddities: dict[str, int]
) -> None:
    if len(content) > 100_000:
        return  # mido needs seconds for these
    if "running-status" in oddities and (b"\xf0" in content or b"\xf7" in content):
        return  # mido takes running status after an exclusive message for another exclusive
    theirs = counted_by_mido(content)
    if theirs is not None:
        outcome.witnessed += 1
        # mido stops where a head or a track says so, however much there is behind
        if theirs > notes or (theirs < notes and not oddities):
            outcome.lost.append(f"{name}: {notes} of {theirs}")


def _ring(_number: int, _frame: object) -> None:
    raise TooLongError


def main() -> int:
    """The command line; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="SEED:CASE", help="one case, with its traceback")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of words")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    if options.only:
        seed, case = map(int, options.only.split(":"))
        kind, content = hostile_file(seed, case)
        print(f"{kind}, {len(content):,} bytes: {content[:60]!r}")
        try:
            started = time.process_time()
            notes, oddities = read_as_an_import_does(content)
            print(f"accepted: {notes:,} notes in {time.process_time() - started:.2f} s of work")
            print(f"odd: {oddities}")
        except Exception:  # whatever escapes a reading is what this case is looked at for
            traceback.print_exc()
        return 0
    started = time.perf_counter()
    outcome = run_cases(options.seed, range(options.cases))
    if options.json:
        print(json.dumps(vars(outcome)))
        return 0 if outcome.clean else 1
    print(
        f"{outcome.cases:,} cases in {time.perf_counter() - started:.0f} s: {outcome.accepted:,} "
        f"accepted ({outcome.witnessed:,} counted again by mido, {outcome.partly:,} read in part, "
        f"as said), {outcome.refused:,} refused, "
        f"{len(outcome.escaped)} escaped, {len(outcome.lost)} lost notes, "
        f"{len(outcome.too_long)} over {SECONDS_PER_CASE} s of work; slowest "
        f"{outcome.slowest_seconds:.2f} s ({outcome.slowest_case}), "
        f"peak {outcome.peak_megabytes:.0f} MB"
    )
    for reason, count in outcome.reasons.most_common():
        print(f"  {count:6,}  {reason} …")
    for finding in (*outcome.escaped, *outcome.lost, *outcome.too_long):
        print(f"FOUND {finding}")
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
