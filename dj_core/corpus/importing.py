"""Reads MIDI files into import summaries, many at a time, in this or other processes.

`summaries` is one piece of an import's work: bytes in, facts out, no file or state in between. So
any `concurrent.futures.Executor` can carry it: this process, several, or a cluster's.

**Note maps.** Which drum a note number means is a fact of each file. A file with notes on channel
10 is read by what these say, whatever lies beside it. A file without any cannot tell: large
archives write their drums on channel 1, and a melody looks the same. Such files are read by one
note map, which many of them must ask for (`drum_map_of_kind`); files that tell their own, and files
that are refused, have no say in it. A note map that somebody chose goes before all that.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, TypeVar

from dj_core.corpus.near_duplicates import Sketch, Strokes, sketches
from dj_core.errors import MidiError
from dj_core.files.midi import Outline, drum_map_of, drum_map_vote, outline_of, parse_midi
from dj_core.host.executors import in_order
from dj_core.music.beat import Meter
from dj_core.music.drums import DRUMS, DrumMap

FILES_AT_ONCE = 128  # a piece of work: long enough to be worth sending, and for arrays to pay
BYTES_AT_ONCE = 1_000_000
PIECES_AHEAD = 32
"""Pieces handed out before the first is back; with `BYTES_AT_ONCE` a bound on memory."""

USUAL_MAP: DrumMap = "general-midi"
DECIDING_FILES, DECIDING_SHARE = 5, 0.05
"""Files that must ask for another map than the usual one: so many, and this share of their kind.

In the paper's corpus 245 of 1,544 do, in the poorest of its large genres 7 of 80. A bassline or two
beside a DJ's own patterns do not.
"""

MapSource = Literal["file", "kind", "choice"]
"""Who says by which note map a file is read: it itself, all files of its kind, or somebody."""

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Summary:
    """What an index says of a file's drums.

    Attributes:
        bars, tempo_bpm, meter: as in its `Beat`.
        lane_hits: strokes per lane, in drum table order.
        note_hits: strokes per note number.
        sketch: what grouping needs.
        drum_map: the note map that `lane_hits` and `sketch` follow.
        map_from: who says so.
        map_vote: what a file that cannot tell suggests for its kind; None for one that can.
        notes_left_out: notes that are no drums.
        warnings: how many sentences the reader has for a DJ.
    """

    bars: int
    tempo_bpm: float | None
    meter: Meter
    lane_hits: tuple[int, ...]
    note_hits: Mapping[int, int]
    sketch: Sketch
    drum_map: DrumMap
    map_from: MapSource
    map_vote: DrumMap | None
    notes_left_out: int
    warnings: int


@dataclass(frozen=True)
class Refused:
    """Why a file cannot be used."""

    reason: str


def summaries(
    contents: Sequence[bytes], chosen: DrumMap | None = None, of_kind: DrumMap = USUAL_MAP
) -> list[Summary | Refused]:
    """What the index says of each file, in order; refusals are told, not raised.

    Args:
        contents: the files.
        chosen: the note map for all of them, where somebody chose one.
        of_kind: the note map for those that cannot tell theirs.
    """
    answers: list[Refused | None] = []
    read: list[tuple[Outline, DrumMap, MapSource, DrumMap | None]] = []
    for content in contents:
        try:
            events = parse_midi(content)
            own = drum_map_of(events)
            vote = drum_map_vote(events) if own is None else None
            drum_map = chosen or own or of_kind
            source: MapSource = "choice" if chosen else "file" if own else "kind"
            read.append((outline_of(events, drum_map), drum_map, source, vote))
            answers.append(None)
        except MidiError as error:
            answers.append(Refused(str(error)))
    strokes = [Strokes(told.onsets_quarters, told.lanes, told.frame.meter) for told, *_ in read]
    summary = (
        Summary(
            outline.frame.bars,
            outline.frame.tempo_bpm,
            outline.frame.meter,
            tuple(outline.lanes.count(lane) for lane in range(len(DRUMS))),
            Counter(outline.notes),
            sketch,
            drum_map,
            source,
            vote,
            outline.notes_left_out,
            len(outline.warnings),
        )
        for (outline, drum_map, source, vote), sketch in zip(read, sketches(strokes), strict=True)
    )
    return [answer or next(summary) for answer in answers]


def drum_map_of_kind(votes: Mapping[DrumMap, int]) -> DrumMap:
    """The note map of files that cannot tell theirs, by how many of them ask for each."""
    files = sum(votes.values())
    others = {name: count for name, count in votes.items() if name != USUAL_MAP}
    asked_for = max(others, key=lambda name: (others[name], name), default=USUAL_MAP)
    many = max(DECIDING_FILES, DECIDING_SHARE * files)
    return asked_for if others.get(asked_for, 0) >= many else USUAL_MAP


def summarised(
    files: Iterable[tuple[_Key, bytes]],
    executor: Executor | None,
    chosen: DrumMap | None,
    of_kind: Callable[[], DrumMap],
) -> Iterator[tuple[_Key, Summary | Refused]]:
    """Each file's key with what the index says of its content, in the files' order.

    Args:
        files: keys and contents; taken only as far ahead as there is work handed out.
        executor: carries the work; None does it here.
        chosen: see `summaries`.
        of_kind: tells, whenever work is handed out, what `summaries` is given.
    """
    handed_out: deque[list[_Key]] = deque()

    def jobs() -> Iterator[tuple[list[bytes], DrumMap | None, DrumMap]]:
        for piece in _pieces(files):
            handed_out.append([key for key, _ in piece])
            yield [content for _, content in piece], chosen, of_kind()

    for answers in in_order(summaries, jobs(), executor, PIECES_AHEAD):
        yield from zip(handed_out.popleft(), answers, strict=True)


def _pieces(files: Iterable[tuple[_Key, bytes]]) -> Iterator[list[tuple[_Key, bytes]]]:
    """Files in lists of up to `FILES_AT_ONCE` and about `BYTES_AT_ONCE` bytes."""
    piece: list[tuple[_Key, bytes]] = []
    size = 0
    for file in files:
        piece.append(file)
        size += len(file[1])
        if len(piece) >= FILES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
