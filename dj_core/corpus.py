"""A corpus: drum MIDI gathered from a file, a folder or a zip, indexed, grouped and split.

On disk a corpus is one folder::

    index.parquet     a row per file (genre, tempo, meter, length, drum use, family, split), and as
                      its metadata the corpus's name, note map and refused files
    files/ab/ab….mid  the MIDI files under their own SHA-256

The index is written last and in one step, so an import that stops leaves the corpus as it was.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dj_core.beat import Beat, Meter
from dj_core.drums import DRUMS, DrumMap
from dj_core.errors import BeatError, CorpusError, LibraryError, MidiError
from dj_core.families import Sketch, assign_families, assign_splits
from dj_core.genres import genre_name, typical_tempo_bpm
from dj_core.intake import MAP_PRIORITY, Refused, Summary, in_pieces, strongest, summaries
from dj_core.midi import read_midi
from dj_core.sources import Source, open_source
from dj_core.storage import sha256_of, write_bytes_atomic

if TYPE_CHECKING:
    from pyarrow import ListArray

FORMAT_VERSION = 1
INDEX_NAME = "index.parquet"
METADATA_KEY = b"digital-dj"
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
        return _load_files(self.index_path, self.index_path.stat().st_mtime_ns)

    @cached_property
    def genres(self) -> dict[str, int]:
        """Number of files per genre, by name; files without a genre count under ''."""
        return dict(sorted(Counter(file.genre for file in self.files).items()))

    @property
    def bars(self) -> int:
        """Bars in all files together."""
        return sum(file.bars for file in self.files)

    def path_of(self, file: CorpusFile) -> Path:
        """Where the file's bytes are kept."""
        return _stored_path(self.folder, file.id)

    def beat(self, file: CorpusFile) -> Beat:
        """The file as a Beat, with the index's genre and tempo. Raises CorpusError."""
        try:
            beat = read_midi(self.path_of(file), self.drum_map)
        except MidiError as error:
            raise CorpusError(
                f"{file.name} cannot be read from corpus {self.name!r} any more: {error} "
                "Import the corpus again."
            ) from error
        provenance = replace(beat.provenance, source=file.name, corpus=self.name)
        return replace(
            beat,
            genre=file.genre,
            tempo_bpm=file.tempo_bpm,
            title=file.title,
            provenance=provenance,
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
        known = {row.file.name: row for row in _known_rows(folder)}
        reader = _Importer(files, folder, known, progress, executor)
        try:
            rows, skipped = reader.read(drum_map)
            if not rows:
                raise CorpusError(_nothing_found(source, skipped))
            left_out = [
                *_still_left_out(folder, {*rows, *(item.file for item in skipped)}),
                *skipped,
            ]
            _save_index(folder, name, reader.drum_map, {**known, **rows}, left_out)
        except BaseException:
            reader.undo()
            raise
    return ImportReport(Corpus(folder), tuple(sorted(rows)), tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Row:
    """A file with what grouping needs to know of it."""

    file: CorpusFile
    sketch: Sketch
    official_split: str


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
        self._new_paths: list[Path] = []
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
            if not settled:
                self.drum_map = strongest((self.drum_map, answer.speaks_for))
            if isinstance(answer, Refused):
                self._refused[name] = answer.reason
            else:
                self._store(digest, content)
                self._rows[name] = self._row(name, digest, answer)
                self._read_by[answer.read_by].append(name)
        self._read_again(known_map)
        names = self.source.names
        self._progress(len(names), len(names))
        refused = [Skipped(name, self._refused[name]) for name in names if name in self._refused]
        return self._rows, refused

    def undo(self) -> None:
        """Remove what this import stored; the index was never touched."""
        for path in self._new_paths:
            for left in (path, _unfinished(path)):
                with suppress(FileNotFoundError):
                    left.unlink()
        if self._new_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

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
            if known and known.file.id == digest:
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
        stored = (
            (row, _stored_path(self.folder, row.file.id).read_bytes()) for row in rows.values()
        )
        return {
            row.file.name: replace(
                row, file=replace(row.file, lane_hits=told.lane_hits), sketch=told.sketch
            )
            for row, told in self._read(stored)
            if isinstance(told, Summary)
        }

    def _row(self, name: str, digest: str, told: Summary) -> _Row:
        facts = self.source.facts(name)
        stem = name.rpartition("/")[2].rpartition(".")[0]
        file = CorpusFile(
            id=digest,
            name=name,
            genre=genre_name(facts.genre),
            tempo_bpm=facts.tempo_bpm or told.tempo_bpm,
            meter=told.meter,
            bars=told.bars,
            hits=sum(told.lane_hits),
            lane_hits=told.lane_hits,
            kind=facts.kind or ("fill" if "fill" in stem.lower() else "beat"),
            family=0,
            split=SPLITS[0],
        )
        return _Row(file, told.sketch, facts.split)

    def _store(self, digest: str, content: bytes) -> None:
        """Keep the bytes under their own hash; renaming makes each file whole or absent."""
        path = _stored_path(self.folder, digest)
        if path.exists():
            return
        try:
            self._new_paths.append(path)
            unfinished = _unfinished(path)
            try:
                unfinished.write_bytes(content)
            except FileNotFoundError:  # the first of its folder
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError as error:
            raise LibraryError(
                f"The corpus could not be saved in {self.folder.parent}: {error.strerror}. "
                "Free some space and import again; nothing was changed."
            ) from error


def _unfinished(path: Path) -> Path:
    return path.with_suffix(".part")


# --- the index --------------------------------------------------------------------------------


def _stored_path(folder: Path, digest: str) -> Path:
    return folder / "files" / digest[:2] / f"{digest}.mid"


def _load_facts(index_path: Path) -> dict:
    """Name, note map and refused files, from the index's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        facts = json.loads(pq.read_schema(index_path).metadata[METADATA_KEY])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            f"The corpus in {index_path.parent} has no readable index ({error}). Import it again."
        ) from error
    if facts.get("format_version") != FORMAT_VERSION:
        raise CorpusError(
            f"The corpus in {index_path.parent} was written by another version of Digital DJ. "
            "Import it again."
        )
    return facts


@lru_cache(maxsize=16)
def _load_files(path: Path, modified: int) -> tuple[CorpusFile, ...]:
    """The rows of an index; read once per version of the file."""
    columns = [field.name for field in fields(CorpusFile)]
    return tuple(_file_of(record) for record in _records(path, columns))


def _known_rows(folder: Path) -> list[_Row]:
    """All rows with their sketches, for an import that adds to them."""
    path = folder / INDEX_NAME
    return [_row_of(record) for record in _records(path)] if path.exists() else []


def _records(path: Path, columns: list[str] | None = None) -> list[dict]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(
            f"The index of the corpus in {path.parent} cannot be read ({error}). Import it again."
        ) from error


def _row_of(record: dict) -> _Row:
    minhash = np.array(record.pop("minhash"), np.uint32)
    sketch = Sketch(minhash, tuple(record.pop("bar_hashes")))
    official_split = record.pop("official_split")
    return _Row(_file_of(record), sketch, official_split)


def _file_of(record: dict) -> CorpusFile:
    try:
        record["meter"] = Meter.parse(record["meter"])
        record["lane_hits"] = tuple(record["lane_hits"])
        return CorpusFile(**record)
    except (KeyError, TypeError, BeatError) as error:
        raise CorpusError(f"The corpus has a damaged index ({error}). Import it again.") from error


def _save_index(
    folder: Path,
    name: str,
    drum_map: DrumMap,
    rows_by_name: dict[str, _Row],
    skipped: Sequence[Skipped],
) -> None:
    """Group, split and write all rows in one step."""
    rows = _grouped([rows_by_name[file_name] for file_name in sorted(rows_by_name)])
    facts = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "drum_map": drum_map,
        "skipped": [{"file": item.file, "reason": item.reason} for item in skipped],
    }
    write_bytes_atomic(folder / INDEX_NAME, _index_bytes(rows, facts))


def _still_left_out(folder: Path, seen: set[str]) -> list[Skipped]:
    """Files that earlier imports refused and this one did not bring again."""
    if not (folder / INDEX_NAME).exists():
        return []
    return [item for item in Corpus(folder).skipped if item.file not in seen]


def _grouped(rows: list[_Row]) -> list[_Row]:
    families = assign_families([row.sketch for row in rows])
    splits = assign_splits(families, [row.file.genre for row in rows])
    return [
        replace(row, file=replace(row.file, family=family, split=row.official_split or split))
        for row, family, split in zip(rows, families, splits, strict=True)
    ]


def _index_bytes(rows: Iterable[_Row], facts: dict) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("name", pa.string()),
            ("genre", pa.string()),
            ("tempo_bpm", pa.float64()),
            ("meter", pa.string()),
            ("bars", pa.int32()),
            ("hits", pa.int32()),
            ("lane_hits", pa.list_(pa.int32(), len(DRUMS))),
            ("kind", pa.string()),
            ("family", pa.int32()),
            ("split", pa.string()),
            ("official_split", pa.string()),
            ("minhash", pa.list_(pa.uint32())),
            ("bar_hashes", pa.list_(pa.int64())),
        ],
        metadata={METADATA_KEY: json.dumps(facts).encode()},
    )
    rows = list(rows)
    columns = {
        **{name: [getattr(row.file, name) for row in rows] for name in _PLAIN_COLUMNS},
        "meter": [str(row.file.meter) for row in rows],
        "lane_hits": [row.file.lane_hits for row in rows],
        "official_split": [row.official_split for row in rows],
        "bar_hashes": [row.sketch.bar_hashes for row in rows],
        "minhash": _lists([row.sketch.minhash for row in rows]),
    }
    arrays = [
        columns[field.name]
        if isinstance(columns[field.name], pa.Array)
        else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    buffer = BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


_PLAIN_COLUMNS = ("id", "name", "genre", "tempo_bpm", "bars", "hits", "kind", "family", "split")


def _lists(signatures: Sequence[np.ndarray]) -> ListArray:
    """Arrays of one length as a column, without a Python number for each of theirs."""
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, signatures)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.concatenate(signatures)))


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
