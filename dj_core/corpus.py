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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal

from dj_core.beat import Beat, Meter
from dj_core.drums import DRUMS, DrumMap
from dj_core.errors import BeatError, CorpusError, LibraryError, MidiError
from dj_core.families import Sketch, assign_families, assign_splits, sketch_beat
from dj_core.genres import genre_name, typical_tempo_bpm
from dj_core.midi import guess_drum_map, parse_midi, read_midi
from dj_core.sources import Source, open_source
from dj_core.storage import sha256_of, write_bytes_atomic

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


@dataclass(frozen=True)
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
    source: Path,
    folder: Path,
    name: str,
    *,
    drum_map: DrumMap | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring the MIDI files of `source` into the corpus in `folder`, making it if need be.

    Files already there under the same name and content are not read again; a file whose content
    changed replaces its old version.

    Args:
        source: a .mid file, a .zip, or a folder searched to any depth.
        folder: the corpus's own folder.
        name: what the corpus is called.
        drum_map: how note numbers become drums; None finds out from the files.
        progress: called with (files done, files in all).

    Raises:
        CorpusError: nothing there, or no file that can be read.
        LibraryError: the folder cannot be written.
    """
    with open_source(source) as files:
        known = {row.file.name: row for row in _known_rows(folder)}
        reader = _Importer(files, folder, known, progress)
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


@dataclass(frozen=True)
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
    ) -> None:
        self.source = source
        self.folder = folder
        self.known = known
        self.progress = progress or (lambda done, total: None)
        self.drum_map: DrumMap = "general-midi"
        self._new_paths: list[Path] = []
        self._new_folder = not folder.exists()

    def read(self, drum_map: DrumMap | None) -> tuple[dict[str, _Row], list[Skipped]]:
        """Rows of every readable file by name, and the files refused."""
        self.drum_map = drum_map or self._find_drum_map()
        if self.known and _load_facts(self.folder / INDEX_NAME)["drum_map"] != self.drum_map:
            self.known.update(self._reread_known())
        rows: dict[str, _Row] = {}
        skipped: list[Skipped] = []
        names = self.source.names
        for done, name in enumerate(names):
            self.progress(done, len(names))
            try:
                rows[name] = self._row(name, self.source.read(name))
            except (MidiError, CorpusError) as error:
                skipped.append(Skipped(name, str(error)))
        self.progress(len(names), len(names))
        return rows, skipped

    def undo(self) -> None:
        """Remove what this import stored; the index was never touched."""
        for path in self._new_paths:
            path.unlink(missing_ok=True)
        if self._new_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _row(self, name: str, content: bytes) -> _Row:
        digest = sha256_of(content)
        facts = self.source.facts(name)
        known = self.known.get(name)
        if known and known.file.id == digest:
            return known
        beat = read_midi(content, self.drum_map)
        self._store(digest, content)
        counts = Counter(hit.lane for hit in beat.hits)
        file = CorpusFile(
            id=digest,
            name=name,
            genre=genre_name(facts.genre),
            tempo_bpm=facts.tempo_bpm or beat.tempo_bpm,
            meter=beat.meter,
            bars=beat.bars,
            hits=len(beat.hits),
            lane_hits=tuple(counts[lane] for lane in range(len(DRUMS))),
            kind=facts.kind or ("fill" if "fill" in Path(name).stem.lower() else "beat"),
            family=0,
            split=SPLITS[0],
        )
        return _Row(file, sketch_beat(beat), facts.split)

    def _reread_known(self) -> dict[str, _Row]:
        """The corpus's earlier files under the note map that the new files ask for."""
        rows = {}
        for name, row in self.known.items():
            beat = read_midi(_stored_path(self.folder, row.file.id), self.drum_map)
            counts = Counter(hit.lane for hit in beat.hits)
            lane_hits = tuple(counts[lane] for lane in range(len(DRUMS)))
            rows[name] = _Row(
                replace(row.file, lane_hits=lane_hits), sketch_beat(beat), row.official_split
            )
        return rows

    def _find_drum_map(self) -> DrumMap:
        """The note map of the new files, or of the corpus where nothing new came."""
        if self.known:
            known: DrumMap = _load_facts(self.folder / INDEX_NAME)["drum_map"]
            if known != "general-midi":  # the mark of an odd map may be in earlier files only
                return known
        return guess_drum_map(self._new_events())

    def _new_events(self) -> Iterator:
        for name in self.source.names:
            try:
                content = self.source.read(name)
                known = self.known.get(name)
                if not known or known.file.id != sha256_of(content):
                    yield parse_midi(content)
            except (MidiError, CorpusError):
                continue  # reported when the file's turn comes

    def _store(self, digest: str, content: bytes) -> None:
        """Keep the bytes under their own hash; renaming makes each file whole or absent."""
        path = _stored_path(self.folder, digest)
        if path.exists():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".part")
            self._new_paths += [temporary, path]
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            raise LibraryError(
                f"The corpus could not be saved in {self.folder.parent}: {error.strerror}. "
                "Free some space and import again; nothing was changed."
            ) from error


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
    sketch = Sketch(tuple(record.pop("minhash")), tuple(record.pop("bar_hashes")))
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
    records = [
        {
            **vars(row.file),
            "meter": str(row.file.meter),
            "official_split": row.official_split,
            "minhash": row.sketch.minhash,
            "bar_hashes": row.sketch.bar_hashes,
        }
        for row in rows
    ]
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(records, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def _nothing_found(source: Path, skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return (
            f"{source.name} holds no MIDI files (.mid or .midi). "
            "Choose a folder, a zip or a file with drum MIDI."
        )
    first = skipped[0]
    return (
        f"None of the {len(skipped)} MIDI file{'s' * (len(skipped) > 1)} in {source.name} could "
        f"be used. {first.file}: {first.reason}"
    )
