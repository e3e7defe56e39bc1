"""A corpus: drum MIDI gathered from a file, a folder or a zip, indexed, grouped and split.

On disk a corpus is one folder::

    index.parquet    a row per file (genre, tempo, meter, length, drum use, family, split, where its
                     bytes are), and as its metadata the corpus's name, note map and refused files
    files/….pack     the MIDI files that one import brought, end to end (see `packs`)

The index is written last and in one step, so an import that stops leaves the corpus as it was.
Corpora of format 1, which have a file each for their files, are read and added to as they are.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dj_core.beat import Beat, Meter
from dj_core.drums import DRUMS, DrumMap
from dj_core.errors import BeatError, CorpusError, MidiError
from dj_core.families import SPLIT_SHARES, families_of, splits_of
from dj_core.genres import genre_name, typical_tempo_bpm
from dj_core.intake import MAP_PRIORITY, Refused, in_pieces, strongest, summaries
from dj_core.ledger import (
    Ledger,
    Row,
    Rows,
    drawn,
    in_order_of_names,
    index_types,
    release_memory,
    retold,
    row_schema,
    rows_of_table,
    signature_lists,
)
from dj_core.midi import read_midi
from dj_core.outlines import Summary
from dj_core.packs import Contents, Kept, PackWriter, lay_out, read_kept
from dj_core.scratch import Scratch
from dj_core.sources import Source, open_source
from dj_core.storage import atomic_file, sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
INDEX_NAME = "index.parquet"
METADATA_KEY = b"digital-dj"
KNOWN_AT_ONCE = 2_048  # rows of the corpus as it was
ROWS_IN_GROUP = 4_096  # of the index: so many are in memory while they are written
PAGE_BYTES = 1 << 18  # of a column, packed at once
SPLITS = tuple(SPLIT_SHARES)
Progress = Callable[[int, int], None]
"""Called with (done, total) as files are read."""


@dataclass(frozen=True)
class Skipped:
    """A file refused at import, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)  # there may be a million
class CorpusFile:
    """One row of the index.

    Attributes:
        id: SHA-256 of the file's bytes; twin files share it.
        name: path inside what was imported; unique within the corpus.
        genre: a name as `genres.genre_name` gives it, '' when unknown.
        tempo_bpm: from the file or its fact sheet; None when neither says.
        bars, hits: length in bars, number of strokes.
        lane_hits: strokes per lane, 16 numbers in drum table order.
        kind: 'beat' or 'fill'.
        family: near-duplicates share a number.
        split: 'train', 'validation' or 'test'; a family is never divided.
        kept: where the corpus has the bytes.
    """

    id: str
    name: str
    genre: str
    tempo_bpm: float | None
    meter: Meter
    bars: int
    hits: int
    lane_hits: tuple[int, ...]
    kind: Literal["beat", "fill"]
    family: int
    split: str
    kept: Kept = field(default=Kept(), compare=False, repr=False)

    @property
    def lanes(self) -> tuple[int, ...]:
        """The lanes that are played."""
        return tuple(lane for lane, count in enumerate(self.lane_hits) if count)

    @property
    def title(self) -> str:
        """The file's own name, without folder and ending."""
        return Path(self.name).stem

    @property
    def playing_tempo_bpm(self) -> float:
        """The tempo to audition at: the file's, else its genre's, else 120."""
        return self.tempo_bpm or typical_tempo_bpm(self.genre) or 120.0


class Corpus:
    """A corpus on disk, read only."""

    def __init__(self, folder: Path) -> None:
        """Open the corpus in `folder`. Raises CorpusError if it is incomplete or unreadable."""
        self.folder = folder
        facts = _load_facts(folder / INDEX_NAME)
        self.name: str = facts["name"]
        self.drum_map: DrumMap = facts["drum_map"]
        self.skipped = tuple(Skipped(**skipped) for skipped in facts["skipped"])

    @property
    def index_path(self) -> Path:
        """The Parquet index."""
        return self.folder / INDEX_NAME

    @cached_property
    def files(self) -> tuple[CorpusFile, ...]:
        """Every file, sorted by name."""
        return _load_files(self.index_path, self.written)

    @property
    def written(self) -> int:
        """When the index was written, in nanoseconds: another time, another index."""
        return self.index_path.stat().st_mtime_ns

    @property
    def index(self) -> pa.Table:
        """The index's columns, for what asks about all files at once; in the order of `files`."""
        return _load_index(self.index_path, self.written)

    @cached_property
    def genres(self) -> dict[str, int]:
        """Number of files per genre, by name; files without a genre count under ''."""
        return dict(sorted(Counter(self.index["genre"].to_pylist()).items()))

    @property
    def bars(self) -> int:
        """Bars in all files together."""
        return sum(self.index["bars"].to_pylist())

    def content(self, file: CorpusFile) -> bytes:
        """The file as it was imported. Raises CorpusError."""
        try:
            return read_kept(self.folder, file.id, file.kept)
        except OSError as error:
            raise self._lost(file, f"{error.strerror}.") from error

    def path_of(self, file: CorpusFile) -> Path:
        """The file as one of its own, for programs that read nothing else. Raises CorpusError."""
        try:
            return lay_out(self.folder, file.id, file.kept)
        except OSError as error:
            raise self._lost(file, f"{error.strerror}.") from error

    def beat(self, file: CorpusFile) -> Beat:
        """The file as a Beat, with the index's genre and tempo. Raises CorpusError."""
        try:
            beat = read_midi(self.content(file), self.drum_map)
        except MidiError as error:
            raise self._lost(file, error) from error
        provenance = replace(beat.provenance, source=file.name, corpus=self.name)
        return replace(
            beat,
            genre=file.genre,
            tempo_bpm=file.tempo_bpm,
            title=file.title,
            provenance=provenance,
        )

    def _lost(self, file: CorpusFile, why: object) -> CorpusError:
        return CorpusError(
            f"{file.name} cannot be read from corpus {self.name!r} any more: {why} "
            "Import the corpus again."
        )


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        corpus: the corpus as it is now.
        found: names of the files it came upon, ascending.
        skipped: those that it refused.
    """

    corpus: Corpus
    found: Sequence[str]
    skipped: tuple[Skipped, ...]

    @property
    def accepted(self) -> tuple[str, ...]:
        """Names of the files this import brought or confirmed."""
        refused = {item.file for item in self.skipped}
        return tuple(name for name in self.found if name not in refused)

    @property
    def index(self) -> pa.Table:
        """What the corpus's index says of these files."""
        import pyarrow as pa
        import pyarrow.compute as pc

        index = self.corpus.index
        accepted = pa.array(self.accepted, pa.string())
        return index.filter(pc.is_in(index["name"], accepted))


def import_corpus(
    source: Path | str,
    folder: Path,
    name: str,
    *,
    drum_map: DrumMap | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> ImportReport:
    """Bring the MIDI files of `source` into the corpus in `folder`, making it if need be.

    Files already there under the same name and content are not read again; a file whose content
    changed replaces its old version.

    Args:
        source: a .mid file, a .zip, or a folder searched to any depth; or as text an address of
            a folder that fsspec knows, as in s3://bucket/drums.
        folder: the corpus's own folder.
        name: what the corpus is called.
        drum_map: how note numbers become drums; None finds out from the files.
        progress: called with (files done, files in all).
        executor: reads and checks the files, in pieces that need nothing but their bytes: several
            processes, or a cluster's workers. None does it here. The index is the same.

    Raises:
        CorpusError: nothing there, or no file that can be read.
        LibraryError: the folder cannot be written.
    """
    with open_source(source) as files:
        reader = _Importer(files, folder, progress, executor)
        try:
            skipped = reader.read(drum_map)
            if len(skipped) == len(files.names):
                raise CorpusError(_nothing_found(source, skipped))
            facts = _facts(name, reader.drum_map, [*_still_left_out(folder, files.names), *skipped])
            if not reader.nothing_new or facts != _load_facts(folder / INDEX_NAME):
                order = reader.in_order()
                _save_index(folder, facts, reader.ledger, order, reader.finish())
        except BaseException:
            reader.undo()
            raise
        finally:
            reader.close()
        return ImportReport(Corpus(folder), files.names, tuple(skipped))


class _Importer:
    """One import under way; `undo` takes back the files it stored."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        progress: Progress | None,
        executor: Executor | None,
    ) -> None:
        self.source = source
        self.folder = folder
        self.executor = executor
        self.drum_map: DrumMap = MAP_PRIORITY[0]
        self._known_map: DrumMap | None = None  # None: there is no corpus yet
        if (folder / INDEX_NAME).exists():
            self._known_map = _load_facts(folder / INDEX_NAME)["drum_map"]
        self._progress = progress or (lambda done, total: None)
        self._done, self._total = 0, len(source.names)
        self._refused: dict[str, str] = {}
        self._scratch = Scratch(folder)
        self._pack = PackWriter(folder, self._scratch)
        self.ledger = Ledger(self._scratch)
        self._read_by = bytearray()  # of every new row the place in MAP_PRIORITY
        self._new_folder = not folder.exists()

    @property
    def nothing_new(self) -> bool:
        """Every file was in the corpus already."""
        return self._known_map is not None and not len(self.ledger)

    def read(self, drum_map: DrumMap | None) -> list[Skipped]:
        """Bring a row of every new file that can be read to the ledger; returns those refused.

        A file is read by the note map that those before it speak for.
        """
        self.drum_map = drum_map or self._known_map or MAP_PRIORITY[0]
        # an odd map that is known stays: its mark may be in earlier files only
        settled = drum_map is not None or self.drum_map != MAP_PRIORITY[0]
        for (name, digest, content), answer in self._read(self._new_files()):
            self._count()
            if not settled and answer.speaks_for != self.drum_map:
                self.drum_map = strongest((self.drum_map, answer.speaks_for))
            if isinstance(answer, Refused):
                self._refused[name] = answer.reason
            else:
                self.ledger.add(self._row(name, digest, content, answer))
                self._read_by.append(MAP_PRIORITY.index(answer.read_by))
        self._progress(self._total, self._total)
        return [Skipped(name, reason) for name, reason in sorted(self._refused.items())]

    def in_order(self) -> np.ndarray:
        """Bring what the corpus had to the ledger; returns the rows of its new index in order.

        Files read by another note map than all together speak for are read again: the first few,
        as a rule.
        """
        self.ledger.put_away()
        new = len(self.ledger)
        for rows in _known_rows(self.folder):
            self.ledger.extend(self._reread(rows) if self._known_map != self.drum_map else rows)
        order = in_order_of_names(self.ledger, new)
        by_another = np.frombuffer(self._read_by, np.uint8) != MAP_PRIORITY.index(self.drum_map)
        others = np.flatnonzero(by_another)
        latest = np.arange(len(self.ledger), dtype=np.int32)
        for start in range(0, len(others), KNOWN_AT_ONCE):
            some = others[start : start + KNOWN_AT_ONCE]
            latest[some] = np.arange(len(self.ledger), len(self.ledger) + len(some))
            self.ledger.extend(
                self._reread(Rows(self.ledger.columns(some), self.ledger.signatures(some)))
            )
        return latest[order]

    def finish(self) -> str:
        """Put what is new in its place; returns the name of its pack."""
        return self._pack.finish()

    def undo(self) -> None:
        """Remove what this import stored; the index was never touched."""
        self._pack.undo()
        if self._new_folder:
            self.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of what is open."""
        self.ledger.close()
        self._scratch.close()

    def _read(self, files: Iterable[tuple[Any, bytes]]) -> Iterator[tuple[Any, Summary | Refused]]:
        return in_pieces(
            files, lambda contents: (summaries, (contents, self.drum_map)), self.executor
        )

    def _new_files(self) -> Iterator[tuple[tuple[str, str, bytes], bytes]]:
        """Name, hash and content of every file that is not known yet."""
        known = iter(self._known_digests())
        known_name, known_digest = next(known, ("", ""))
        for name in self.source.names:
            while known_name and known_name < name:  # both ascend
                known_name, known_digest = next(known, ("", ""))
            try:
                content = self.source.read(name)
            except CorpusError as error:
                self._count()
                self._refused[name] = str(error)
                continue
            digest = sha256_of(content)
            if known_name == name and known_digest == digest:
                self._count()
            else:
                yield (name, digest, content), content

    def _known_digests(self) -> Iterator[tuple[str, str]]:
        """Name and hash of every file of the corpus as it was, by name."""
        for table in _known_tables(self.folder, ("name", "id")):
            yield from zip(table["name"].to_pylist(), table["id"].to_pylist(), strict=True)

    @cached_property
    def _contents(self) -> Contents:
        """What the corpus has; made when there is something new."""
        contents = Contents(self._scratch)
        for table in _known_tables(self.folder, ("id", *Kept._fields)):
            for digest, *place in zip(*(column.to_pylist() for column in table), strict=True):
                contents.add(digest, tuple(place))
        return contents

    def _count(self) -> None:
        self._progress(self._done, self._total)
        self._done += 1

    def _reread(self, rows: Rows) -> Rows:
        """Rows of files that are stored, read again by the note map that holds."""
        columns = [rows.columns[name].to_pylist() for name in ("id", "name", *Kept._fields)]
        stored = ((None, self._content(*kept)) for kept in zip(*columns, strict=True))
        return retold(rows, [answer for _, answer in self._read(stored)])

    def _content(
        self, digest: str, name: str, pack: str | None, offset_bytes: int, size_bytes: int
    ) -> bytes:
        if pack is None:
            return self._pack.read(offset_bytes, size_bytes)
        try:
            return read_kept(self.folder, digest, Kept(pack, offset_bytes, size_bytes))
        except OSError as error:
            raise CorpusError(
                f"{name} cannot be read from the corpus in {self.folder} any more: "
                f"{error.strerror}. Remove the corpus and import it again."
            ) from error

    def _row(self, name: str, digest: str, content: bytes, told: Summary) -> Row:
        """The file's row; its bytes are kept if none like them are."""
        facts = self.source.facts(name)
        place = self._contents.find(digest)
        if place is None:
            place = (None, *self._pack.add(digest, content))
            self._contents.add(digest, place)
        stem = name.rpartition("/")[2].rpartition(".")[0]
        return Row(
            digest,
            name,
            _genre_name(facts.genre),
            facts.tempo_bpm or told.tempo_bpm,
            told.meter,
            told.bars,
            told.lane_hits,
            facts.kind or ("fill" if "fill" in stem.lower() else "beat"),
            facts.split,
            told.sketch,
            *place,
        )


_genre_name = lru_cache(maxsize=1_024)(genre_name)


# --- the index --------------------------------------------------------------------------------


def _load_facts(index_path: Path) -> dict[str, Any]:
    """Name, note map and refused files, from the index's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        facts = json.loads(pq.read_schema(index_path).metadata[METADATA_KEY])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            f"The corpus in {index_path.parent} has no readable index ({error}). Import it again."
        ) from error
    if facts.get("format_version") not in READABLE_VERSIONS:
        raise CorpusError(
            f"The corpus in {index_path.parent} was written by another version of Digital DJ. "
            "Import it again."
        )
    return facts


@lru_cache(maxsize=16)
def _load_files(path: Path, modified: int) -> tuple[CorpusFile, ...]:
    """The rows of an index; read once per version of the file."""
    return tuple(files_of(_table(path, FILE_COLUMNS)))


@lru_cache(maxsize=16)
def _load_index(path: Path, modified: int) -> pa.Table:
    return _table(path, FILE_COLUMNS)


def _known_tables(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The index of the corpus as it is, some rows at a time; nothing where there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / INDEX_NAME
    if not path.exists():
        return
    try:
        with pq.ParquetFile(path) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(KNOWN_AT_ONCE, columns=there, use_threads=False):
                yield _completed(pa.Table.from_batches([batch]), columns, path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _known_rows(folder: Path) -> Iterator[Rows]:
    """All of it, for an import that adds to it."""
    for table in _known_tables(folder, (*row_schema().names, "minhash")):
        try:
            rows = rows_of_table(table)
        except ValueError as error:  # Arrow's own are of that kind
            raise _unreadable(folder / INDEX_NAME, error) from error
        yield rows


FILE_COLUMNS = (
    "id", "name", "genre", "tempo_bpm", "meter", "bars", "hits", "lane_hits", "kind", "family",
    "split", *Kept._fields,
)  # fmt: skip
"""What of the index a `CorpusFile` is made of, in its order."""


def _table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of an index; those that format 1 did not have stand empty. Raises CorpusError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            table = file.read(columns=there, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    return _completed(table, columns, path)


def _unreadable(path: Path, error: Exception) -> CorpusError:
    return CorpusError(
        f"The index of the corpus in {path.parent} cannot be read ({error}). Import it again."
    )


def _completed(table: pa.Table, columns: Sequence[str], path: Path) -> pa.Table:
    """A table with what format 1 did not have, in the order asked for. Raises CorpusError."""
    import pyarrow as pa

    for name, empty in Kept()._asdict().items():
        if name in columns and name not in table.column_names:
            table = table.append_column(name, pa.array([empty] * len(table), index_types()[name]))
    if missing := set(columns) - set(table.column_names):
        raise CorpusError(
            f"The corpus in {path.parent} has a damaged index ({min(missing)!r} is missing). "
            "Import it again."
        )
    return table.select(columns)


def files_of(table: pa.Table) -> Iterator[CorpusFile]:
    """Rows of an index, of which the `FILE_COLUMNS` matter. Raises CorpusError."""
    lane_hits = table["lane_hits"].combine_chunks().flatten().to_numpy()
    columns = {name: table[name].to_pylist() for name in FILE_COLUMNS if name != "lane_hits"}
    try:
        columns["lane_hits"] = map(tuple, lane_hits.reshape(-1, len(DRUMS)).tolist())
        columns["meter"] = map(_meter, columns["meter"])
        *plain, packs, offsets, sizes = (columns[name] for name in FILE_COLUMNS)
        yield from map(CorpusFile, *plain, map(Kept, packs, offsets, sizes))
    except (ValueError, AttributeError, BeatError) as error:
        raise CorpusError(f"The corpus has a damaged index ({error}). Import it again.") from error


_meter = lru_cache(maxsize=1_024)(Meter.parse)


def _facts(name: str, drum_map: DrumMap, skipped: Sequence[Skipped]) -> dict[str, Any]:
    """What an index's metadata says."""
    return {
        "format_version": FORMAT_VERSION,
        "name": name,
        "drum_map": drum_map,
        "skipped": [{"file": item.file, "reason": item.reason} for item in skipped],
    }


def _still_left_out(folder: Path, seen: Container[str]) -> list[Skipped]:
    """Files that earlier imports refused and this one did not bring again."""
    if not (folder / INDEX_NAME).exists():
        return []
    return [item for item in Corpus(folder).skipped if item.file not in seen]


def _save_index(
    folder: Path, facts: dict[str, Any], ledger: Ledger, order: np.ndarray, new_pack: str
) -> None:
    """Group, split and write all rows in one step, a part at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    families = families_of(drawn(ledger, order))
    splits = splits_of(families, _genre_numbers(ledger)[order])
    schema = pa.schema(index_types(), metadata={METADATA_KEY: json.dumps(facts).encode()})
    with (
        atomic_file(folder / INDEX_NAME) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            use_dictionary=["genre", "meter", "kind", "split", "official_split", "pack"],
            write_statistics=False,
            data_page_size=PAGE_BYTES,
        ) as writer,
    ):
        for start in range(0, len(order), ROWS_IN_GROUP):
            part = slice(start, start + ROWS_IN_GROUP)
            rows = Rows(ledger.columns(order[part]), ledger.signatures(order[part]))
            columns = _index_columns(rows, families[part], splits[part], new_pack)
            arrays = [columns[name] for name in schema.names]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            release_memory()


def _genre_numbers(ledger: Ledger) -> np.ndarray:
    """Of every row a number for its genre, from 0."""
    numbers: dict[str, int] = {}
    found = [
        np.array([numbers.setdefault(genre, len(numbers)) for genre in column], np.int32)
        for column in (columns["genre"].to_pylist() for _, columns in ledger.batches())
    ]
    return np.concatenate(found)


def _index_columns(
    rows: Rows, families: np.ndarray, splits: np.ndarray, new_pack: str
) -> dict[str, pa.Array]:
    """The index's columns by name."""
    import pyarrow as pa

    columns = {name: rows.columns[name] for name in rows.columns.schema.names}
    official = columns["official_split"].to_pylist()
    placed = zip(official, splits.tolist(), strict=True)
    packs = columns["pack"].to_pylist()
    return columns | {
        "family": pa.array(families),
        "split": pa.array([name or SPLITS[split] for name, split in placed]),
        "pack": pa.array([new_pack if pack is None else pack for pack in packs]),
        "minhash": signature_lists(rows.signatures),
    }


def _nothing_found(source: Path | str, skipped: Sequence[Skipped]) -> str:
    name = source if isinstance(source, str) else source.name
    if not skipped:
        return (
            f"{name} holds no MIDI files (.mid or .midi). "
            "Choose a folder, a zip or a file with drum MIDI."
        )
    first = skipped[0]
    if len(skipped) == 1:
        return f"The only MIDI file in {name} cannot be used. {first.file}: {first.reason}"
    return (
        f"None of the {len(skipped):,} MIDI files in {name} could be used. "
        f"{first.file}: {first.reason}"
    )
