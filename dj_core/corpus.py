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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dj_core.beat import Beat, Meter
from dj_core.drums import DRUMS, DrumMap
from dj_core.errors import BeatError, CorpusError, MidiError
from dj_core.families import Sketch, assign_families, assign_splits
from dj_core.genres import genre_name, typical_tempo_bpm
from dj_core.intake import MAP_PRIORITY, Refused, in_pieces, strongest, summaries
from dj_core.midi import read_midi
from dj_core.outlines import Summary
from dj_core.packs import Kept, PackWriter, lay_out, read_kept
from dj_core.sources import Source, open_source
from dj_core.storage import atomic_file, sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
INDEX_NAME = "index.parquet"
METADATA_KEY = b"digital-dj"
ROWS_AT_ONCE = 16_384
SPLITS = ("train", "validation", "test")
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
        accepted: names of the files this import brought or confirmed.
        skipped: the files it refused.
    """

    corpus: Corpus
    accepted: tuple[str, ...]
    skipped: tuple[Skipped, ...]


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
        known = {row.name: row for row in _known_rows(folder)}
        reader = _Importer(files, folder, known, progress, executor)
        try:
            rows, skipped = reader.read(drum_map)
            if not rows:
                raise CorpusError(_nothing_found(source, skipped))
            left_out = [
                *_still_left_out(folder, {*rows, *(item.file for item in skipped)}),
                *skipped,
            ]
            facts = _facts(name, reader.drum_map, left_out)
            nothing_new = all(known.get(file_name) is row for file_name, row in rows.items())
            if not (known and nothing_new and facts == _load_facts(folder / INDEX_NAME)):
                _save_index(folder, facts, known | rows if known else rows, reader.finish())
        except BaseException:
            reader.undo()
            raise
        finally:
            reader.close()
    return ImportReport(Corpus(folder), tuple(sorted(rows)), tuple(skipped))


class _Row(NamedTuple):
    """A file, as `CorpusFile` has it but for what all files together decide."""

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


class _Importer:
    """One import under way; `undo` takes back the files it stored."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        known: dict[str, _Row],
        progress: Progress | None,
        executor: Executor | None,
    ) -> None:
        self.source = source
        self.folder = folder
        self.known = known
        self.executor = executor
        self.drum_map: DrumMap = MAP_PRIORITY[0]
        self._progress = progress or (lambda done, total: None)
        self._done = 0
        self._rows: dict[str, _Row] = {}
        self._refused: dict[str, str] = {}
        self._read_by: defaultdict[DrumMap, list[str]] = defaultdict(list)
        self._pack = PackWriter(folder)
        self._by_content: dict[str, _Row] = {row.id: row for row in known.values()}
        self._new_folder = not folder.exists()

    def read(self, drum_map: DrumMap | None) -> tuple[dict[str, _Row], list[Skipped]]:
        """Rows of every readable file by name, and the files refused.

        A file is read by the note map that those before it speak for. Those read by another than
        all together speak for are read again in the end: the first few, as a rule.
        """
        known_map: DrumMap = (
            _load_facts(self.folder / INDEX_NAME)["drum_map"] if self.known else MAP_PRIORITY[0]
        )
        self.drum_map = drum_map or known_map
        # an odd map that is known stays: its mark may be in earlier files only
        settled = drum_map is not None or known_map != MAP_PRIORITY[0]
        for (name, digest, content), answer in self._read(self._new_files()):
            self._count()
            if not settled and answer.speaks_for != self.drum_map:
                self.drum_map = strongest((self.drum_map, answer.speaks_for))
            if isinstance(answer, Refused):
                self._refused[name] = answer.reason
            else:
                self._rows[name] = self._row(name, digest, content, answer)
                self._read_by[answer.read_by].append(name)
        self._read_again(known_map)
        names = self.source.names
        self._progress(len(names), len(names))
        refused = [Skipped(name, self._refused[name]) for name in names if name in self._refused]
        return self._rows, refused

    def finish(self) -> str:
        """Put what is new in its place; returns the name of its pack."""
        return self._pack.finish()

    def undo(self) -> None:
        """Remove what this import stored; the index was never touched."""
        self._pack.undo()
        if self._new_folder:
            self._pack.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of what is open."""
        self._pack.close()

    def _read(self, files: Iterable[tuple[Any, bytes]]) -> Iterator[tuple[Any, Summary | Refused]]:
        return in_pieces(
            files, lambda contents: (summaries, (contents, self.drum_map)), self.executor
        )

    def _new_files(self) -> Iterator[tuple[tuple[str, str, bytes], bytes]]:
        """Name, hash and content of every file that is not known yet."""
        for name in self.source.names:
            try:
                content = self.source.read(name)
            except CorpusError as error:
                self._count()
                self._refused[name] = str(error)
                continue
            digest = sha256_of(content)
            known = self.known.get(name)
            if known and known.id == digest:
                self._count()
                self._rows[name] = known
            else:
                yield (name, digest, content), content

    def _count(self) -> None:
        self._progress(self._done, len(self.source.names))
        self._done += 1

    def _read_again(self, known_map: DrumMap) -> None:
        """Bring what was read by another note map under the one that holds."""
        unchanged = [name for name, row in self._rows.items() if row is self.known.get(name)]
        if self.known and known_map != self.drum_map:
            self.known.update(self._reread({name: self.known[name] for name in self.known}))
            self._rows |= {name: self.known[name] for name in unchanged}
        others = [
            name for used, names in self._read_by.items() if used != self.drum_map for name in names
        ]
        self._rows |= self._reread({name: self._rows[name] for name in others})

    def _reread(self, rows: dict[str, _Row]) -> dict[str, _Row]:
        """Rows of files that are stored, read again by the note map that holds."""
        stored = ((row, self._content(row)) for row in rows.values())
        return {
            row.name: row._replace(lane_hits=told.lane_hits, sketch=told.sketch)
            for row, told in self._read(stored)
            if isinstance(told, Summary)
        }

    def _content(self, row: _Row) -> bytes:
        if row.pack is None:
            return self._pack.read(row.offset_bytes, row.size_bytes)
        try:
            return read_kept(self.folder, row.id, Kept(row.pack, row.offset_bytes, row.size_bytes))
        except OSError as error:
            raise CorpusError(
                f"{row.name} cannot be read from the corpus in {self.folder} any more: "
                f"{error.strerror}. Remove the corpus and import it again."
            ) from error

    def _row(self, name: str, digest: str, content: bytes, told: Summary) -> _Row:
        """The file's row; its bytes are kept if none like them are."""
        facts = self.source.facts(name)
        twin = self._by_content.get(digest)
        place = twin[-3:] if twin else (None, *self._pack.add(digest, content))
        stem = name.rpartition("/")[2].rpartition(".")[0]
        row = _Row(
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
        self._by_content[digest] = row
        return row


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


def _known_rows(folder: Path) -> list[_Row]:
    """All rows with their sketches, for an import that adds to them."""
    path = folder / INDEX_NAME
    if not path.exists():
        return []
    table = _table(path, (*FILE_COLUMNS, "official_split", "minhash", "bar_hashes"))
    signatures = table["minhash"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    sketches = map(Sketch, signatures, map(tuple, table["bar_hashes"].to_pylist()))
    rows = zip(files_of(table), table["official_split"].to_pylist(), sketches, strict=True)
    return [
        _Row(file.id, file.name, file.genre, file.tempo_bpm, file.meter, file.bars, file.lane_hits,
             file.kind, official_split, sketch, *file.kept)
        for file, official_split, sketch in rows
    ]  # fmt: skip


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
        raise CorpusError(
            f"The index of the corpus in {path.parent} cannot be read ({error}). Import it again."
        ) from error
    for name, empty in Kept()._asdict().items():
        if name in columns and name not in table.column_names:
            table = table.append_column(name, pa.array([empty] * len(table), _types()[name]))
    if missing := set(columns) - set(table.column_names):
        raise CorpusError(
            f"The corpus in {path.parent} has a damaged index ({min(missing)!r} is missing). "
            "Import it again."
        )
    return table


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


def _save_index(
    folder: Path, facts: dict[str, Any], rows_by_name: dict[str, _Row], new_pack: str
) -> None:
    """Group, split and write all rows in one step."""
    rows = [rows_by_name[file_name] for file_name in sorted(rows_by_name)]
    families = assign_families([row.sketch for row in rows])
    splits = assign_splits(families, [row.genre for row in rows])
    _write_index(folder / INDEX_NAME, facts, rows, families, splits, new_pack)


def _still_left_out(folder: Path, seen: set[str]) -> list[Skipped]:
    """Files that earlier imports refused and this one did not bring again."""
    if not (folder / INDEX_NAME).exists():
        return []
    return [item for item in Corpus(folder).skipped if item.file not in seen]


def _write_index(
    path: Path,
    facts: dict[str, Any],
    rows: Sequence[_Row],
    families: Sequence[int],
    splits: Sequence[str],
    new_pack: str,
) -> None:
    """Write the rows a part at a time: a column of a million Python objects is much memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(_types(), metadata={METADATA_KEY: json.dumps(facts).encode()})
    with (
        atomic_file(path) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            use_dictionary=["genre", "meter", "kind", "split", "official_split", "pack"],
            write_statistics=False,
        ) as writer,
    ):
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            columns = _columns(rows[part], families[part], splits[part], new_pack)
            arrays = [
                values if isinstance(values, pa.Array) else pa.array(values, kind)
                for values, kind in zip(columns, schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _types() -> dict[str, pa.DataType]:
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


def _columns(
    rows: Sequence[_Row], families: Sequence[int], splits: Sequence[str], new_pack: str
) -> list[Any]:
    """Rows as the index's columns, in the order of its types."""
    import pyarrow as pa

    (ids, names, genres, tempos, meters, bars, lane_hits, kinds, official_splits, sketches, packs,
     offsets, sizes) = zip(*rows, strict=True)  # fmt: skip
    lanes = np.array(lane_hits, np.int32)
    minhashes = [sketch.minhash for sketch in sketches]
    bar_hashes = [sketch.bar_hashes for sketch in sketches]
    return [
        ids,
        names,
        genres,
        tempos,
        list(map(_meter_text, meters)),
        bars,
        lanes.sum(axis=1, dtype=np.int32),
        pa.FixedSizeListArray.from_arrays(pa.array(lanes.ravel()), len(DRUMS)),
        kinds,
        families,
        [official or split for official, split in zip(official_splits, splits, strict=True)],
        official_splits,
        [new_pack if pack is None else pack for pack in packs],
        offsets,
        sizes,
        _lists(list(map(len, minhashes)), np.concatenate(minhashes)),
        _lists(list(map(len, bar_hashes)), np.fromiter(chain(*bar_hashes), np.int64)),
    ]


_meter_text = lru_cache(maxsize=1_024)(str)


def _lists(lengths: Sequence[int], values: np.ndarray) -> pa.ListArray:
    """A column of lists of such lengths, without a Python number for each value."""
    import pyarrow as pa

    ends = np.cumsum([0, *lengths], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values))


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
