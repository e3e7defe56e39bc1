"""A corpus: drum MIDI gathered from a file, a folder or a zip, indexed, grouped and split.

On disk a corpus is one folder::

    index.parquet    a row per file (genre, tempo, meter, length, drum use, note map, family, split,
                     where its bytes are), and as its metadata the corpus's name and refused files
    files/….pack     the MIDI files that one import brought, end to end (see `blob_store`)

The index is written last and in one step, so an import that stops leaves the corpus as it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np

from dj_core.corpus.blob_store import Kept, PackWriter, read_kept
from dj_core.corpus.importing import MapSource, Refused, Summary, drum_map_of_kind, summarised
from dj_core.corpus.near_duplicates import HASHES, SPLIT_SHARES, families_of, splits_of
from dj_core.corpus.sources import Facts, Source, is_sound, open_source
from dj_core.errors import BeatError, CorpusError, MidiError, SoundError
from dj_core.files.midi import MIDI_ENDINGS, Reading, midi_bytes, read_midi_report
from dj_core.files.midi_reading import AS_IN_CORPUS
from dj_core.files.records import json_of, record_of
from dj_core.files.storage import atomic_file, sha256_of
from dj_core.music.beat import TRANSCRIBED, Beat, Meter
from dj_core.music.drum_maps import DRUM_MAPS
from dj_core.music.drums import DRUMS, DrumMap
from dj_core.music.genres import genre_name, typical_tempo_bpm
from dj_core.sound.decoding import AUDIO_ENDINGS, AudioDecoder

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 3
ROWS_AT_ONCE = 1_024  # of an import, as Python's objects
ROWS_IN_GROUP = 4_096  # of the index: so many are copied and packed at once
INDEX_NAME = "index.parquet"
METADATA_KEY = b"digital-dj"
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
        drum_map: the note map that the file is read by.
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
    drum_map: DrumMap
    family: int
    split: str
    kept: Kept = field(default=Kept(), compare=False, repr=False)

    @property
    def lanes(self) -> tuple[int, ...]:
        """The lanes that are played."""
        return tuple(lane for lane, count in enumerate(self.lane_hits) if count)

    @property
    def transcribed(self) -> bool:
        """It came as a sound: what the corpus has of it is what was heard."""
        return is_sound(self.name)

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

    def __init__(self, folder: Path, name: str = "") -> None:
        """Open the corpus in `folder`. Raises CorpusError if it is incomplete or unreadable.

        It is called `name`; '' for the name it was imported under.
        """
        self.folder = folder
        facts = _load_facts(folder / INDEX_NAME)
        self.name: str = name or facts["name"]
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

    def columns(self, *names: str) -> pa.Table:
        """Further columns of the index, see `index_types`; in the order of `files`."""
        return _table(self.index_path, names)

    @cached_property
    def genres(self) -> dict[str, int]:
        """Number of files per genre, by name; files without a genre count under ''."""
        return dict(sorted(Counter(self.index["genre"].to_pylist()).items()))

    @property
    def bars(self) -> int:
        """Bars in all files together."""
        return sum(self.index["bars"].to_pylist())

    @property
    def transcribed(self) -> int:
        """How many of its files came as sounds."""
        return sum(map(is_sound, self.index["name"].to_pylist()))

    def content(self, file: CorpusFile) -> bytes:
        """The file as it was imported. Raises CorpusError."""
        try:
            return read_kept(self.folder, file.kept)
        except (OSError, ValueError, OverflowError) as error:  # such as a place before the first
            raise self._lost(file, f"{getattr(error, 'strerror', None) or error}.") from error

    def reading(self, file: CorpusFile) -> Reading:
        """The file as it is read by its note map. Raises CorpusError."""
        try:
            return read_midi_report(self.content(file), file.drum_map)
        except MidiError as error:
            raise self._lost(file, error) from error

    def beat(self, file: CorpusFile) -> Beat:
        """The file as a Beat, with the index's genre and tempo. Raises CorpusError."""
        beat = self.reading(file).beat
        provenance = replace(beat.provenance, source=file.name, corpus=self.name)
        if file.transcribed:
            provenance = replace(provenance, settings={TRANSCRIBED: True})
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
        found: names of the MIDI and sound files it came upon, ascending.
        skipped: those that it refused.
        left_out: names of everything else, by kind: '.jpg', '.zip', 'hidden', 'link', …
        replaced: how many files took the place of others of their name.
    """

    corpus: Corpus
    found: Sequence[str]
    skipped: tuple[Skipped, ...]
    left_out: Mapping[str, tuple[str, ...]]
    replaced: int = 0

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
    """Bring the MIDI files and drum loops of `source` into the corpus in `folder`.

    It is made if need be. Files already there under the same name and content are not read again;
    a file whose content changed replaces its old version. A sound is transcribed; the corpus keeps
    the MIDI of that.

    Args:
        source: a MIDI file, a sound, a .zip, or a folder searched to any depth; or as text an
            address of a folder that fsspec knows, as in s3://bucket/drums.
        folder: the corpus's own folder.
        name: what the corpus is called.
        drum_map: how note numbers of these files become drums; None finds out from the files
            (see `intake`). Files that were read by another note map are read again.
        progress: called with (files done, files in all).
        executor: reads and checks the files, in pieces that need nothing but their bytes: several
            processes, or a cluster's workers. None does it here. The index is the same.

    Raises CorpusError where nothing is there, or no file that can be read; LibraryError where the
    folder cannot be written.
    """
    with open_source(source) as files:
        if files.names:
            return _Import(files, folder, name, drum_map, progress, executor).bring()
        shown = source if isinstance(source, str) else source.name
        if zips := files.left_out.get(".zip"):
            raise CorpusError(
                f"{shown} holds other zips ({zips[0][:60]}) and no MIDI files or sounds. Unpack "
                "them, or import them one by one."
            )
        raise CorpusError(
            f"{shown} holds no MIDI files ({', '.join(MIDI_ENDINGS)}) and no sounds "
            f"({', '.join(AUDIO_ENDINGS)}). Choose a folder, a zip or a file with drums."
        )


def read_again(
    corpus: Corpus, drum_map: DrumMap | None, progress: Progress | None = None
) -> ImportReport:
    """Read all files of a corpus by another note map; None lets the files decide.

    Raises CorpusError where it is damaged, LibraryError where its folder cannot be written.
    """
    splits = corpus.columns("official_split")["official_split"].to_pylist()
    facts = {
        file.name: Facts(file.genre, file.tempo_bpm, file.kind, split)
        for file, split in zip(corpus.files, splits, strict=True)
    }
    stored = Source(
        ((file.name, file) for file in corpus.files), lambda file, _: corpus.content(file), facts
    )
    folder, name = corpus.folder, corpus.name
    return _Import(stored, folder, name, drum_map, progress, None, again=True).bring()


class _Row(NamedTuple):
    """A file, as the index has it but for what all files together decide."""

    id: str
    name: str
    genre: str
    tempo_bpm: float | None
    kind: Literal["beat", "fill"]
    official_split: str
    kept: Kept
    told: Summary | None = None


class _Import:
    """One import under way.

    Attributes:
        new: rows of every file that is new, changed, or to be read by another note map; columns
            of the index, which take a fraction of what Python's objects do.
        refused: name and reason.
        replaced: how many files have a name that others had.
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        name: str,
        drum_map: DrumMap | None,
        progress: Progress | None,
        executor: Executor | None,
        again: bool = False,
    ) -> None:
        import pyarrow as pa

        self._source, self._folder, self._name = source, folder, name
        self._chosen, self._again, self._executor = drum_map, again, executor
        self._progress = progress or (lambda done, total: None)
        self._done, self._total = 0, len(source.names)
        self._earlier: Corpus | None = None
        self._known = pa.schema(index_types()).empty_table()
        with suppress(
            CorpusError
        ):  # what is imported takes its place, as the message about it says
            earlier = Corpus(folder)
            self._earlier, self._known = earlier, earlier.columns(*index_types())
        self.new = self._known.slice(0, 0)
        self.refused: dict[str, str] = {}
        self.replaced = 0
        columns = ("name", "id", "drum_map", "map_from", *Kept._fields)
        self._known_files: dict[str, tuple[str, DrumMap, MapSource]] = {}
        self._kept: dict[str, Kept] = {}  # by the hash of what is kept, so that twins are kept once
        for one, digest, by, told, *kept in zip(
            *(self._known[column].to_pylist() for column in columns), strict=True
        ):
            self._known_files[one] = digest, by, told
            self._kept[digest] = Kept(*kept)

    def bring(self) -> ImportReport:
        """Read what is new, group and split all there is, and write the index."""
        with PackWriter(self._folder) as self._pack, AudioDecoder() as self._decoder:
            self._read()
            self._agree_on_note_map()
            self._progress(self._total, self._total)
            skipped = tuple(Skipped(*item) for item in sorted(self.refused.items()))
            if len(skipped) == self._total:
                first = f"{skipped[0].file}: {skipped[0].reason}"
                if len(skipped) == 1:
                    raise CorpusError(f"The only file cannot be used. {first}")
                raise CorpusError(f"None of the {len(skipped):,} files could be used. {first}")
            seen, earlier = set(self._source.names), self._earlier
            still = [item for item in earlier.skipped if item.file not in seen] if earlier else []
            facts = {
                "format_version": FORMAT_VERSION,
                "name": self._name,
                "skipped": [asdict(item) for item in (*still, *skipped)],
            }
            if len(self.new) or not earlier or facts != _load_facts(self._folder / INDEX_NAME):
                _save_index(self._folder, facts, *self._all_rows(self._pack.finish()))
        corpus, source = Corpus(self._folder), self._source
        return ImportReport(corpus, source.names, skipped, source.left_out, self.replaced)

    def _read(self) -> None:
        """Read every file that has to be."""
        import pyarrow as pa

        votes = _votes(self._known)
        read = summarised(
            self._unread(), self._executor, self._chosen, lambda: drum_map_of_kind(votes)
        )
        parts, rows = [self.new], []
        for (name, digest, content), told in read:
            self._count()
            if isinstance(told, Refused):
                self.refused[name] = told.reason
                continue
            if digest not in self._kept:
                self._kept[digest] = self._pack.add(digest, content)
            facts = self._source.facts(name)
            genre, tempo_bpm = _genre_name(facts.genre), facts.tempo_bpm or told.tempo_bpm
            stem = name.rpartition("/")[2].rpartition(".")[0]
            kind = facts.kind or ("fill" if "fill" in stem.lower() else "beat")
            kept = self._kept[digest]
            rows.append(_Row(digest, name, genre, tempo_bpm, kind, facts.split, kept, told))
            self.replaced += self._known_files.get(name, (digest,))[0] != digest
            votes.update(filter(None, [told.map_vote]))
            if len(rows) == ROWS_AT_ONCE:
                parts.append(_table_of(rows))
                rows = []
        self.new = pa.concat_tables([*parts, _table_of(rows)])

    def _all_rows(self, new_pack: str) -> tuple[pa.Table, np.ndarray]:
        """What was known and what is new, in `new_pack`; and the places of what holds, by name.

        Nothing is copied but names: of a large corpus this is most of the memory.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = pa.concat_tables([self._known, self.new])
        packs = pc.if_else(pc.equal(rows["pack"], ""), new_pack, rows["pack"])
        rows = rows.set_column(rows.schema.get_field_index("pack"), "pack", packs)
        holds = np.append(self._stays().to_numpy(), np.ones(len(self.new), bool))
        order = pc.sort_indices(rows["name"]).to_numpy()
        return rows, order[holds[order]]

    def _stays(self) -> pa.ChunkedArray:
        """Which of the known rows no new one takes the place of."""
        import pyarrow.compute as pc

        return pc.invert(pc.is_in(self._known["name"], self.new["name"]))

    def _unread(self) -> Iterator[tuple[tuple[str, str, bytes], bytes]]:
        """Name, hash and content of every file that has to be read."""
        from dj_core.listening.transcribing import transcribe

        for name in self._source.names:
            try:
                content = self._source.read(name)
                if is_sound(name) and not self._again:  # what the corpus has is MIDI already
                    told = self._source.facts(name).tempo_bpm
                    heard = transcribe(content, name=name, tempo_bpm=told, decoder=self._decoder)
                    content = midi_bytes(heard.beat)
            except (CorpusError, SoundError) as error:
                self._count()
                self.refused[name] = str(error)
                continue
            digest = sha256_of(content)
            known_digest, *read_by = self._known_files.get(name, ("",))
            as_wished = self._chosen is None or read_by == [self._chosen, "choice"]
            if known_digest == digest and as_wished and not self._again:
                self._count()
            else:
                yield (name, digest, content), content

    def _agree_on_note_map(self) -> None:
        """Read the new files that cannot tell their note map by the one that their kind asks for.

        Those that the corpus had already are asked, and stay as they are. Nearly all have been read
        by it: the first few hundred files say what the others will, as a rule.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        stays = self._known.select(["map_vote"]).filter(self._stays())
        of_kind = drum_map_of_kind(_votes(stays) + _votes(self.new))
        parts: list[pa.RecordBatch] = []
        others: list[_Row] = []
        for part in self.new.to_batches():
            by_another = pc.and_(
                pc.equal(part["map_from"], "kind"), pc.not_equal(part["drum_map"], of_kind)
            )
            columns = part.filter(by_another).select([*_OF_ROW, *Kept._fields]).to_pydict()
            for *found, pack, offset, size in zip(*columns.values(), strict=True):
                others.append(_Row._make([*found, Kept(pack, offset, size), None]))
            parts.append(part.filter(pc.invert(by_another)) if by_another.true_count else part)
        contents = ((row, self._content(row)) for row in others)
        read = summarised(contents, self._executor, None, lambda: of_kind)
        # none is refused: none was before
        rows = [row._replace(told=cast("Summary", told)) for row, told in read]
        self.new = pa.concat_tables(
            [pa.Table.from_batches(parts, self.new.schema), _table_of(rows)]
        )

    def _content(self, row: _Row) -> bytes:
        try:
            return self._pack.read(row.kept)
        except OSError as error:
            raise CorpusError(
                f"{row.name} cannot be read from the corpus any more: {error.strerror}. Remove "
                "the corpus and import it again."
            ) from error

    def _count(self) -> None:
        self._progress(self._done, self._total)
        self._done += 1


def _votes(table: pa.Table) -> Counter[DrumMap]:
    """How many files off channel 10 ask for each note map."""
    counts = table["map_vote"].value_counts().to_pylist()
    return Counter({each["values"]: each["counts"] for each in counts if each["values"]})


_genre_name = lru_cache(maxsize=1_024)(genre_name)


# --- the index --------------------------------------------------------------------------------

FILE_COLUMNS = (
    "id", "name", "genre", "tempo_bpm", "meter", "bars", "hits", "lane_hits", "kind", "drum_map",
    "family", "split", *Kept._fields,
)  # fmt: skip
"""What of the index a `CorpusFile` is made of, in its order."""
_OF_ROW = ("id", "name", "genre", "tempo_bpm", "kind", "official_split")
_OF_SUMMARY = ("bars", "drum_map", "map_from", "notes_left_out", "warnings")


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
        "drum_map": pa.string(),
        "map_from": pa.string(),  # see `intake.Summary`
        "map_vote": pa.string(),
        "notes": pa.list_(pa.uint8()),  # that occur
        "note_hits": pa.list_(pa.int32()),  # strokes of each of them
        "notes_left_out": pa.int32(),
        "warnings": pa.int32(),
        "official_split": pa.string(),
        "pack": pa.string(),
        "offset_bytes": pa.int64(),
        "size_bytes": pa.int32(),
        "minhash": pa.list_(pa.uint32(), HASHES),
        "bar_hashes": pa.list_(pa.int64()),
    }


def _table_of(rows: Sequence[_Row]) -> pa.Table:
    """Rows as the index's columns."""
    import pyarrow as pa

    told = cast("list[Summary]", [row.told for row in rows])  # all of them have been read
    lanes = np.array([each.lane_hits for each in told], np.int32).reshape(-1, len(DRUMS))
    signatures = np.array([each.sketch.minhash for each in told], np.uint32).reshape(-1, HASHES)
    values: dict[str, Any] = {
        "meter": [_meter_text(each.meter) for each in told],
        "hits": lanes.sum(axis=1, dtype=np.int32),
        "lane_hits": pa.FixedSizeListArray.from_arrays(pa.array(lanes.ravel()), len(DRUMS)),
        "map_vote": [  # somebody who chose knows better than the notes
            each.drum_map if each.map_vote and each.map_from == "choice" else each.map_vote
            for each in told
        ],
        "notes": [list(each.note_hits) for each in told],
        "note_hits": [list(each.note_hits.values()) for each in told],
        "minhash": pa.FixedSizeListArray.from_arrays(pa.array(signatures.ravel()), HASHES),
        "bar_hashes": [each.sketch.bar_hashes for each in told],
    }
    of = ((rows, _OF_ROW), ([row.kept for row in rows], Kept._fields), (told, _OF_SUMMARY))
    values |= {name: [getattr(one, name) for one in some] for some, names in of for name in names}
    return pa.table(values, schema=pa.schema(index_types()))


_meter_text = lru_cache(maxsize=1_024)(str)


def _save_index(folder: Path, facts: dict[str, Any], rows: pa.Table, order: np.ndarray) -> None:
    """Group and split the rows that `order` names, and write them in one step."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    placed = np.full(len(rows), -1)
    placed[order] = np.arange(len(order))
    signatures = np.empty((len(order) + 1, HASHES), np.uint32)  # the last: of rows that are gone
    start = 0
    for chunk in rows["minhash"].chunks:
        part = chunk.flatten().to_numpy().reshape(-1, HASHES)
        signatures[placed[start : start + len(part)]] = part
        start += len(part)
    told = rows.select(["bar_hashes", "genre", "official_split"]).take(order).combine_chunks()
    bar_hashes, genres, official = (column.chunk(0) for column in told.columns)
    owners = np.repeat(np.arange(len(order)), np.diff(bar_hashes.offsets.to_numpy()))
    families = families_of(signatures[:-1], bar_hashes.flatten().to_numpy(), owners)
    splits = splits_of(families, genres.dictionary_encode().indices.to_numpy()).tolist()
    split_names = [
        named or SPLITS[split] for named, split in zip(official.to_pylist(), splits, strict=True)
    ]
    columns = index_types() | {"family": pa.int32(), "split": pa.string()}
    metadata = {METADATA_KEY: json.dumps(facts).encode()}
    few_values = ["genre", "meter", "kind", "drum_map", "map_from", "map_vote", "official_split",
                  "split", "pack"]  # fmt: skip
    with (
        atomic_file(folder / INDEX_NAME) as file,
        pq.ParquetWriter(
            file,
            pa.schema(columns, metadata=metadata),
            compression="zstd",
            use_dictionary=few_values,
            write_statistics=False,
        ) as writer,
    ):
        for start in range(0, len(order), ROWS_IN_GROUP):
            some = slice(start, start + ROWS_IN_GROUP)
            part = rows.take(order[some]).append_column("family", pa.array(families[some]))
            part = part.append_column("split", pa.array(split_names[some]))
            writer.write_table(part.cast(writer.schema))


def _load_facts(index_path: Path) -> dict[str, Any]:
    """Name and refused files, from the index's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        facts: dict[str, Any] = json_of(pq.read_schema(index_path).metadata[METADATA_KEY])
        version, name = facts["format_version"], facts["name"]
        for item in facts["skipped"]:
            record_of(Skipped, item)
        if not isinstance(name, str):
            raise ValueError(f"it is called {name!r:.40}")
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            f"The corpus in {index_path.parent} has no readable index ({error!s:.200}). Import it "
            "again."
        ) from error
    if version != FORMAT_VERSION:
        raise CorpusError(
            f"The corpus in {index_path.parent} was written by another version of Digital DJ. "
            "Remove it and import its files again."
        )
    return facts


@lru_cache(maxsize=16)
def _load_files(path: Path, modified: int) -> tuple[CorpusFile, ...]:
    """The rows of an index; read once per version of the file."""
    return tuple(files_of(_table(path, FILE_COLUMNS)))


@lru_cache(maxsize=16)
def _load_index(path: Path, modified: int) -> pa.Table:
    return _table(path, (*FILE_COLUMNS, "map_from", "map_vote", "notes_left_out", "warnings"))


def _table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of an index, each in one piece. Raises CorpusError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(columns), use_threads=False)
        return table.select(columns).replace_schema_metadata().combine_chunks()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise CorpusError(
            f"The index of the corpus in {path.parent} cannot be read ({error}). Import it again."
        ) from error


def files_of(table: pa.Table) -> Iterator[CorpusFile]:
    """Rows of an index, of which the `FILE_COLUMNS` matter. Raises CorpusError."""
    for name in FILE_COLUMNS:
        if name != "tempo_bpm" and table[name].null_count:
            raise CorpusError(
                f"The corpus has a damaged index ({name} is missing). Import it again."
            )
    lane_hits = table["lane_hits"].combine_chunks().flatten().to_numpy()
    columns = {name: table[name].to_pylist() for name in FILE_COLUMNS if name != "lane_hits"}
    if odd := set(columns["drum_map"]) - {*DRUM_MAPS, AS_IN_CORPUS}:
        raise CorpusError(
            f"The corpus has a damaged index (there is no note map {min(odd)[:80]!r}). Import it "
            "again."
        )
    try:
        columns["lane_hits"] = map(tuple, lane_hits.reshape(-1, len(DRUMS)).tolist())
        columns["meter"] = map(_meter, columns["meter"])
        *plain, packs, offsets, sizes = (columns[name] for name in FILE_COLUMNS)
        yield from map(CorpusFile, *plain, map(Kept, packs, offsets, sizes))
    except (ValueError, AttributeError, BeatError) as error:
        raise CorpusError(f"The corpus has a damaged index ({error}). Import it again.") from error


_meter = lru_cache(maxsize=1_024)(Meter.parse)
