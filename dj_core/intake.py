"""What an index says of MIDI files, worked out many files at a time, here or elsewhere.

`summaries` is one piece of an import's work: bytes in, facts out, no file or state in between. So
any `concurrent.futures.Executor` can carry it: this process, several, or a cluster's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from dj_core.drums import DRUMS, DrumMap
from dj_core.errors import MidiError
from dj_core.families import sketch_strokes
from dj_core.midi import guess_drum_map, outline_of, parse_midi
from dj_core.outlines import Summary, plain_summaries

FILES_AT_ONCE = 128  # a piece of work: long enough to be worth sending, and for arrays to pay
FILES_AT_FIRST = 16  # they tell by which note map to read, and may have to be read again
BYTES_AT_ONCE = 1_000_000
PIECES_AHEAD = 32
"""Pieces handed out before the first is back; with `BYTES_AT_ONCE` a bound on memory."""

MAP_PRIORITY: tuple[DrumMap, ...] = ("general-midi", "td-11", "extended")
"""Note maps; of those that single files speak for, the last one holds for all of them."""


@dataclass(frozen=True)
class Refused:
    """Why a file cannot be used, and the note map it speaks for all the same."""

    reason: str
    speaks_for: DrumMap = MAP_PRIORITY[0]


def summaries(contents: Sequence[bytes], drum_map: DrumMap) -> list[Summary | Refused]:
    """What the index says of each file, in order; refusals are told, not raised."""
    return [
        plain or _summary(content, drum_map)
        for content, plain in zip(contents, plain_summaries(contents, drum_map), strict=True)
    ]


def _summary(content: bytes, drum_map: DrumMap) -> Summary | Refused:
    """The same of one file, whatever it is like."""
    speaks_for = MAP_PRIORITY[0]
    try:
        events = parse_midi(content)
        speaks_for = guess_drum_map([events])
        outline = outline_of(events, drum_map)
    except MidiError as error:
        return Refused(str(error), speaks_for)
    frame, lanes = outline.frame, outline.lanes
    counts = Counter(lanes)
    return Summary(
        frame.bars,
        frame.tempo_bpm,
        frame.meter,
        tuple(counts[lane] for lane in range(len(DRUMS))),
        sketch_strokes(outline.onsets_quarters, lanes, frame.meter),
        drum_map,
        speaks_for,
    )


def strongest(maps: Iterable[DrumMap]) -> DrumMap:
    """The note map that holds where single files speak for these."""
    return max(maps, key=MAP_PRIORITY.index, default=MAP_PRIORITY[0])


def in_pieces(
    items: Iterable[tuple[Any, bytes]],
    work: Callable[[list[bytes]], tuple[Callable[..., list], tuple]],
    executor: Executor | None,
) -> Iterator[tuple[Any, Any]]:
    """Each item's key with what the work says of its content, in the items' order.

    Args:
        items: keys and contents; taken only as far ahead as there is work handed out.
        work: for a piece's contents, the function to call and its arguments.
        executor: carries the work; None does it here.
    """
    waiting: deque[tuple[list[Any], Future[list] | list]] = deque()
    for piece in _pieces(items):
        keys = [key for key, _ in piece]
        call, arguments = work([content for _, content in piece])
        answers = executor.submit(call, *arguments) if executor else call(*arguments)
        waiting.append((keys, answers))
        if executor is None or len(waiting) > PIECES_AHEAD:
            yield from _answers(*waiting.popleft())
    while waiting:
        yield from _answers(*waiting.popleft())


def _answers(keys: list[Any], answers: Future[list] | list) -> Iterator[tuple[Any, Any]]:
    return zip(keys, answers if isinstance(answers, list) else answers.result(), strict=True)


def _pieces(items: Iterable[tuple[Any, bytes]]) -> Iterator[list[tuple[Any, bytes]]]:
    """Items in lists of up to `FILES_AT_ONCE` files and about `BYTES_AT_ONCE` bytes."""
    piece: list[tuple[Any, bytes]] = []
    size, most = 0, FILES_AT_FIRST
    for item in items:
        piece.append(item)
        size += len(item[1])
        if len(piece) >= most or size >= BYTES_AT_ONCE:
            yield piece
            piece, size, most = [], 0, FILES_AT_ONCE
    if piece:
        yield piece
