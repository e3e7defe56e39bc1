"""The rows of an import under way, on disk: what is in memory hardly grows with the corpus.

A row is what the index will say of a file. Rows are numbered as they come and put away in batches:
all but their signatures as Arrow record batches, the signatures end to end in a file of their own.
When all are there they are brought in order and fetched by number.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

import numpy as np

from dj_core.beat import Meter
from dj_core.drums import DRUMS
from dj_core.errors import CorpusError
from dj_core.families import HASHES, Drawn, InMemory, Sketch, band_keys
from dj_core.intake import Refused
from dj_core.outlines import Summary
from dj_core.scratch import Scratch, write_whole

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 512  # with all their Python objects, a megabyte
_BATCHES_NEAR = 4
_SIGNATURES_AT_ONCE = 8_192  # 4 MB; pages of a mapped file that were looked at count as memory


class Row(NamedTuple):
    """A file, as the index has it but for what all files together decide."""

    id: str
    name: str
    genre: str
    tempo_bpm: float | None
    meter: Meter
    bars: int
    lane_hits: tuple[int, ...]
    kind: Literal["beat", "fill"]
    official_split: str
    sketch: Sketch
    pack: str | None  # None: the pack of the import under way
    offset_bytes: int
    size_bytes: int


@lru_cache(maxsize=1)
def index_types() -> dict[str, pa.DataType]:
    """The index's columns."""
    import pyarrow as pa

    return {
        "id": pa.string(),
        "name": pa.string(),
        "genre": pa.string(),
        "tempo_bpm": pa.float64(),
        "meter": pa.string(),
        "bars": pa.int32(),
        "hits": pa.int32(),
        "lane_hits": pa.list_(pa.int32(), len(DRUMS)),
        "kind": pa.string(),
        "family": pa.int32(),
        "split": pa.string(),
        "official_split": pa.string(),
        "pack": pa.string(),
        "offset_bytes": pa.int64(),
        "size_bytes": pa.int32(),
        "minhash": pa.list_(pa.uint32()),
        "bar_hashes": pa.list_(pa.int64()),
    }


@lru_cache(maxsize=1)
def row_schema() -> pa.Schema:
    """The columns that a ledger keeps: those of the index but for what it says of all files."""
    import pyarrow as pa

    others = ("family", "split", "minhash")
    return pa.schema([pair for pair in index_types().items() if pair[0] not in others])


class Rows(NamedTuple):
    """Some rows: their columns as `row_schema` has them, and their signatures (rows, 128)."""

    columns: pa.RecordBatch
    signatures: np.ndarray


class Ledger:
    """Rows by number, counted from 0 as they come. Raises LibraryError where the disk is full."""

    def __init__(self, scratch: Scratch) -> None:
        self.bars = 0
        self._scratch = scratch
        self._waiting: list[Row] = []
        self._file: BinaryIO | None = None
        self._offsets = [0]  # of each batch in the file, and where it ends
        self._firsts = [0]  # number of each batch's first row, and how many there are
        self._near: dict[int, pa.RecordBatch] = {}
        self._signatures: BinaryIO | None = None
        self._mapped: mmap.mmap | None = None

    def __len__(self) -> int:
        return self._firsts[-1] + len(self._waiting)

    def add(self, row: Row) -> None:
        """Take a row."""
        self._waiting.append(row)
        if len(self._waiting) >= ROWS_AT_ONCE:
            self.put_away()

    def put_away(self) -> None:
        """Write the rows that wait for others."""
        if self._waiting:
            rows, self._waiting = rows_of(self._waiting), []
            self.extend(rows)

    def extend(self, rows: Rows) -> None:
        """Take rows, some thousand at most: they are read again together."""
        self.put_away()
        content = rows.columns.serialize()
        with self._scratch.saving():
            if self._file is None:
                self._file = self._scratch.file("rows", buffering=0)
                self._signatures = self._scratch.file("signatures", buffering=0)
            for file, written in ((self._file, content), (self._signatures, rows.signatures.data)):
                file.seek(0, os.SEEK_END)
                write_whole(file, written)
        self._offsets.append(self._offsets[-1] + content.size)
        self._firsts.append(self._firsts[-1] + rows.columns.num_rows)
        self.bars += len(rows.columns["bar_hashes"].values)
        release_memory()

    def batches(self, start: int = 0) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The columns of all rows from `start` on, which begins a batch, and their first number."""
        self.put_away()
        for batch in range(self._firsts.index(start), len(self._firsts) - 1):
            yield self._firsts[batch], self._batch(batch)

    def columns(self, numbers: np.ndarray) -> pa.RecordBatch:
        """The columns of some rows; neighbours had better be asked for together."""
        import pyarrow as pa

        self.put_away()
        batch_of = np.searchsorted(self._firsts, numbers, "right") - 1
        order = np.argsort(batch_of, kind="stable")
        parts = []
        for batch in np.unique(batch_of).tolist():
            wanted = numbers[batch_of == batch] - self._firsts[batch]
            parts.append(_taken(self._batch(batch), wanted))
        together = pa.concat_batches(parts)
        if len(parts) == 1 or np.all(order[1:] > order[:-1]):
            return together
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return _taken(together, back)

    def signatures(self, numbers: np.ndarray) -> np.ndarray:
        """The signatures of some rows."""
        found = np.empty((len(numbers), HASHES), np.uint32)
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        for first, part in self.signature_parts():
            some = slice(*np.searchsorted(ascending, [first, first + len(part)]))
            found[order[some]] = part[ascending[some] - first]
        return found

    def signature_parts(self) -> Iterator[tuple[int, np.ndarray]]:
        """All signatures, a part at a time, which is not looked at any more when the next comes."""
        self.put_away()
        if self._mapped is None or len(self._mapped) != len(self) * HASHES * 4:
            self._mapped = mmap.mmap(self._signatures.fileno(), 0, access=mmap.ACCESS_READ)
        everything = np.frombuffer(self._mapped, np.uint32).reshape(-1, HASHES)
        for first in range(0, len(everything), _SIGNATURES_AT_ONCE):
            yield first, everything[first : first + _SIGNATURES_AT_ONCE]
            if hasattr(mmap, "MADV_DONTNEED"):
                self._mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Let go of the files, which are the scratch folder's."""
        self._mapped = None

    def _batch(self, batch: int) -> pa.RecordBatch:
        import pyarrow as pa

        if batch not in self._near:
            if len(self._near) == _BATCHES_NEAR:
                del self._near[next(iter(self._near))]
            start, end = self._offsets[batch : batch + 2]
            with self._scratch.saving():
                self._file.seek(start)
                content = self._file.read(end - start)
            self._near[batch] = pa.ipc.read_record_batch(pa.py_buffer(content), row_schema())
        return self._near[batch]


def release_memory() -> None:
    """Have Arrow give back the memory that it would keep for what may come."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _taken(columns: pa.RecordBatch, places: np.ndarray) -> pa.RecordBatch:
    import pyarrow as pa

    if np.all(np.diff(places) == 1):  # as in an import of new files only
        return columns.slice(int(places[0]), len(places))
    return columns.take(pa.array(places))


def in_order_of_names(ledger: Ledger, known_from: int) -> np.ndarray:
    """Numbers of the rows in the order of their names.

    Rows from `known_from` on are those of the corpus as it was; both these and those before them
    ascend. Of two of one name the new one holds. Raises CorpusError where names do not ascend.
    """
    if known_from == len(ledger):
        return np.arange(known_from, dtype=np.int32)

    def named(start: int, end: int) -> Iterator[tuple[str, int]]:
        for first, columns in ledger.batches(start):
            if first >= end:
                return
            yield from zip(columns["name"].to_pylist(), range(first, end), strict=False)

    def numbers() -> Iterator[int]:
        last = ""
        both = merge(named(0, known_from), named(known_from, len(ledger)), key=itemgetter(0))
        for name, number in both:
            if name < last:
                raise CorpusError(
                    f"The corpus has a damaged index ({name} stands behind {last}). Remove the "
                    "corpus and import it again."
                )
            if name != last:
                yield number
            last = name

    return np.fromiter(numbers(), np.int32)


def drawn(ledger: Ledger, order: np.ndarray) -> Drawn:
    """What families are found from, of rows in an order."""
    on_disk = _OnDisk(ledger, order)
    if len(ledger) > _SIGNATURES_AT_ONCE:
        return on_disk
    bars, owners = map(np.concatenate, zip(*on_disk.bar_hashes(), strict=True))
    return InMemory(ledger.signatures(order), bars, owners)


class _OnDisk:
    """Sketches too many for the memory; see `families.Drawn`."""

    def __init__(self, ledger: Ledger, order: np.ndarray) -> None:
        self._ledger, self._order = ledger, order
        self._as_they_came = np.array_equal(order, np.arange(len(ledger)))
        self.bars = ledger.bars

    def __len__(self) -> int:
        return len(self._order)

    def keys(self, bands: range) -> np.ndarray:
        """Of every row, (bands, rows)."""
        found = np.empty((len(bands), len(self._ledger)), np.uint64)
        for first, part in self._ledger.signature_parts():
            found[:, first : first + len(part)] = band_keys(part, bands)
        return found if self._as_they_came else found[:, self._order]

    def signatures(self, beats: np.ndarray) -> np.ndarray:
        """Of some rows, by their places in the order."""
        return self._ledger.signatures(self._order[beats])

    def bar_hashes(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Bar hashes and the places of the rows they are of, a batch at a time."""
        place = np.full(len(self._ledger), -1, np.int32)
        place[self._order] = np.arange(len(self._order), dtype=np.int32)
        for first, columns in self._ledger.batches():
            lists = columns["bar_hashes"]
            places = place[first : first + len(lists)]
            owners = np.repeat(places, np.diff(lists.offsets.to_numpy()))
            holds = owners >= 0
            yield lists.flatten().to_numpy()[holds], owners[holds]


# --- rows as columns --------------------------------------------------------------------------


def rows_of(rows: Sequence[Row]) -> Rows:
    """Rows as columns."""
    import pyarrow as pa

    (ids, names, genres, tempos, meters, bars, lane_hits, kinds, official_splits, sketches, packs,
     offsets, sizes) = zip(*rows, strict=True)  # fmt: skip
    hits, lane_hits = _lane_columns(np.array(lane_hits, np.int32))
    bar_hashes = bar_lists([sketch.bar_hashes for sketch in sketches])
    columns = [ids, names, genres, tempos, list(map(_meter_text, meters)), bars, hits, lane_hits,
               kinds, official_splits, packs, offsets, sizes, bar_hashes]  # fmt: skip
    arrays = [
        values if isinstance(values, pa.Array) else pa.array(values, kind)
        for values, kind in zip(columns, row_schema().types, strict=True)
    ]
    signatures = np.stack([sketch.minhash for sketch in sketches])
    return Rows(pa.RecordBatch.from_arrays(arrays, schema=row_schema()), signatures)


def retold(rows: Rows, answers: Sequence[Summary | Refused]) -> Rows:
    """Rows whose files were read again by another note map; those refused stay as they are."""
    columns, signatures = rows.columns, rows.signatures.copy()
    lanes = columns["lane_hits"].flatten().to_numpy().reshape(-1, len(DRUMS)).copy()
    bar_hashes = columns["bar_hashes"].to_pylist()
    for place, told in enumerate(answers):
        if isinstance(told, Summary):
            lanes[place] = told.lane_hits
            signatures[place] = told.sketch.minhash
            bar_hashes[place] = told.sketch.bar_hashes
    hits, lane_hits = _lane_columns(lanes)
    changed = {"hits": hits, "lane_hits": lane_hits, "bar_hashes": bar_lists(bar_hashes)}
    for name, values in changed.items():
        columns = columns.set_column(columns.schema.get_field_index(name), name, values)
    return Rows(columns, signatures)


def rows_of_table(table: pa.Table) -> Rows:
    """Rows of an index. Raises ValueError if they are damaged."""
    signatures = table["minhash"].combine_chunks().flatten().to_numpy().reshape(len(table), HASHES)
    (columns,) = table.select(row_schema().names).cast(row_schema()).combine_chunks().to_batches()
    return Rows(columns, signatures)


def bar_lists(lists: Sequence[Sequence[int]]) -> pa.ListArray:
    """A column of lists, without an Arrow number for each value."""
    return _lists(list(map(len, lists)), np.fromiter(chain.from_iterable(lists), np.int64))


def signature_lists(signatures: np.ndarray) -> pa.ListArray:
    """Signatures as the index has them."""
    return _lists([HASHES] * len(signatures), signatures.ravel())


def _lists(lengths: Sequence[int], values: np.ndarray) -> pa.ListArray:
    import pyarrow as pa

    ends = np.cumsum([0, *lengths], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values))


def _lane_columns(lanes: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """Strokes in all and per lane."""
    import pyarrow as pa

    per_lane = pa.FixedSizeListArray.from_arrays(pa.array(lanes.ravel()), len(DRUMS))
    return pa.array(lanes.sum(axis=1, dtype=np.int32)), per_lane


_meter_text = lru_cache(maxsize=1_024)(str)
