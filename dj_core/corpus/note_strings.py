"""Note strings: music21's notes, chords and rests of each file, as the paper uses them.

music21 takes some 25 ms a file, so a corpus is read by worker processes, each under a time limit
and killable, and what they found is kept in the corpus's folder (``note-strings.parquet``). A file
is read again only when its content or the version of music21 changes.
"""

from __future__ import annotations

import importlib
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.errors import CorpusError, LibraryError, MidiError
from dj_core.files.midi import midi_bytes, parse_midi, read_midi
from dj_core.files.midi_reading import content_of
from dj_core.files.storage import write_bytes_atomic
from dj_core.host.extras import require
from dj_core.host.worker_process import Answer, WorkerProcess, answer_questions
from dj_core.music.drums import DRUM_CHANNEL, DrumMap

if TYPE_CHECKING:
    from music21.base import Music21Object
    from music21.stream import Stream

    from dj_core.corpus.store import Corpus, CorpusFile

REST = "rest"
CACHE_NAME = "note-strings.parquet"
CACHE_FORMAT = "1"
SECONDS_PER_FILE = 10.0  # of a small file; one that takes longer is given up
BYTES_PER_FILE = 20_000  # a file so large gets the time twice, one twice as large three times,
MOST_TIMES = 12  # and none more often than this; the longest real performances need 30 seconds
SECONDS_TO_START = 120.0  # a cold import of music21 on a busy, slow disk
MAX_WORKERS = 8
FILES_PER_WORKER = 25  # below this, starting another music21 costs more than it saves

Progress = Callable[[int, int], None]
"""Called with (done, total) as files are read."""


@dataclass(frozen=True)
class NoteEvent:
    """One element of a song, as music21 sees it on its grid of 1/4 and 1/3 quarters.

    Attributes:
        name: 'C2', 'rest', or a chord 'C2 F#2' (names with octave, sorted, a space between).
        onset_quarters: from the start of the song.
        duration_quarters: how long it sounds or rests; 0 for grace notes.
        tied: it only continues the note before the bar line, nothing is struck.
    """

    name: str
    onset_quarters: float
    duration_quarters: float
    tied: bool = False


@dataclass(frozen=True)
class NoteSong:
    """One file of a corpus as note events.

    Attributes:
        file_id: the file's id in its corpus.
        genre: as `genres.genre_name` gives it, '' when unknown.
        split: 'train', 'validation' or 'test'.
        events: in music21's own order: measure by measure and, inside a measure, voice by voice,
            so onsets may step back at the start of a second voice.
        bar_quarters: length of a bar in quarter notes.
        bars: length of the song in bars; every onset lies inside them.
        drum_map: the note map the events are named in.
        kind: 'beat' or 'fill'.
    """

    file_id: str
    genre: str
    split: str
    events: tuple[NoteEvent, ...]
    bar_quarters: float = 4.0
    bars: int = 1
    drum_map: DrumMap = "general-midi"
    kind: str = "beat"


# --- one file ---------------------------------------------------------------------------------


def read_note_events(source: Path | bytes) -> tuple[NoteEvent, ...]:
    """One MIDI file through music21, in music21's own order.

    The file is checked first: music21 never sees one that `midi.parse_midi` refuses.

    Raises MidiError where it is damaged, or music21 cannot make sense of it.
    """
    from music21.chord import Chord
    from music21.midi import MidiFile
    from music21.midi.translate import midiFileToStream
    from music21.note import Note, Rest

    content = content_of(source)
    channels = {channel for _, channel, *_ in parse_midi(content).notes}
    if content[10:12] != b"\0\1" or len(channels) != 1:  # the header's number of tracks
        # drums spread over tracks, or beside melodies, would be other parts to music21
        content = midi_bytes(read_midi(content), "as-in-corpus")
    file = MidiFile()
    try:
        file.readstr(content)
        for track in file.tracks:
            for event in track.events:
                if event.channel == DRUM_CHANNEL + 1:
                    # music21 turns channel 10 into unpitched percussion, which has no note names
                    event.channel = 1
        part = midiFileToStream(file).parts[0]
    except Exception as error:  # music21 raises all sorts on files it does not understand
        name = source.name if isinstance(source, Path) else "the file"
        raise MidiError(
            f"music21 cannot read {name} ({type(error).__name__}: {error}). "
            "Open it in a DAW and export it again."
        ) from error
    events = []
    for element, onset in _walk(part):
        if isinstance(element, Note):
            name = element.nameWithOctave
        elif isinstance(element, Chord):
            name = " ".join(sorted(note.nameWithOctave for note in element.notes))
        elif isinstance(element, Rest):
            name = REST
        else:
            continue
        tied = element.tie is not None and element.tie.type in ("stop", "continue")
        events.append(NoteEvent(name, onset, float(element.quarterLength), tied))
    return tuple(events)


def _walk(
    stream: Stream[Music21Object], start: float = 0.0
) -> Iterator[tuple[Music21Object, float]]:
    """What `stream.recurse()` visits, in its order, with onsets in quarters.

    Not by `getOffsetInHierarchy`: for the second half of a tied note that is the first half's.
    """
    from music21.stream import Stream

    for element in stream:
        onset = start + float(stream.elementOffset(element))
        if isinstance(element, Stream):
            yield from _walk(element, onset)
        else:
            yield element, onset


# --- a corpus ---------------------------------------------------------------------------------


def note_songs(corpus: Corpus, progress: Progress | None = None) -> tuple[NoteSong, ...]:
    """Every file of the corpus that music21 can read as a song; what an earlier call kept is taken.

    `progress` is called with (files done, files to read); not at all when everything was kept.
    Raises CorpusError where not one file could be read, LibraryError where what was found cannot
    be saved.
    """
    cache_path = corpus.folder / CACHE_NAME
    rows = _load_cache(cache_path)
    wanted = {file.id: file for file in corpus.files}
    missing = [file for file_id, file in wanted.items() if file_id not in rows]
    if missing:
        try:
            _read_all(corpus, missing, rows, progress)
        finally:  # an interrupted reading keeps what it has
            _save_cache(cache_path, {key: row for key, row in rows.items() if key in wanted})
    songs = []
    for file in corpus.files:
        row = rows[file.id]
        if row["reason"]:
            continue
        columns = zip(row["names"], row["onsets"], row["durations"], row["tied"], strict=True)
        events = tuple(NoteEvent(*column) for column in columns)
        bar_quarters = file.meter.bar_quarters
        # music21's grid may move the last hit onto the next bar line
        last = max((event.onset_quarters for event in events), default=0.0)
        bars = max(file.bars, int(last / bar_quarters + 1e-6) + 1)
        songs.append(
            NoteSong(
                file.id,
                file.genre,
                file.split,
                events,
                bar_quarters,
                bars,
                file.drum_map,
                file.kind,
            )
        )
    if corpus.files and not songs:
        raise CorpusError(
            f"music21 could read none of the corpus's {len(corpus.files)} files; "
            f"the first one: {rows[corpus.files[0].id]['reason']}"
        )
    return tuple(songs)


def _cache_version() -> dict[str, str]:
    return {"digital-dj.format": CACHE_FORMAT, "music21": version("music21")}


def _load_cache(path: Path) -> dict[str, dict[str, Any]]:
    """What an earlier call kept, by file id; nothing if it is of another version or damaged."""
    import pyarrow
    from pyarrow import parquet

    if not path.exists():
        return {}
    try:
        table = parquet.read_table(BytesIO(path.read_bytes()))
    except (OSError, pyarrow.ArrowException):
        return {}  # a cache: it is made again
    metadata = table.schema.metadata or {}
    if {key: metadata.get(key.encode(), b"").decode() for key in _cache_version()} != (
        _cache_version()
    ):
        return {}
    return {row["file_id"]: row for row in table.to_pylist()}


def _save_cache(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        [
            ("file_id", pyarrow.string()),
            ("reason", pyarrow.string()),
            ("names", pyarrow.list_(pyarrow.string())),
            ("onsets", pyarrow.list_(pyarrow.float64())),
            ("durations", pyarrow.list_(pyarrow.float64())),
            ("tied", pyarrow.list_(pyarrow.bool_())),
        ],
        metadata=_cache_version(),
    )
    table = pyarrow.Table.from_pylist([rows[file_id] for file_id in sorted(rows)], schema=schema)
    buffer = BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    write_bytes_atomic(path, buffer.getvalue())


# --- worker processes -------------------------------------------------------------------------


def _read_all(
    corpus: Corpus,
    files: Sequence[CorpusFile],
    rows: dict[str, dict[str, Any]],
    progress: Progress | None,
) -> None:
    """Read `files` in worker processes and put a row for each into `rows`."""
    count = min(os.cpu_count() or 1, MAX_WORKERS, 1 + len(files) // FILES_PER_WORKER)
    pool = [_Worker() for _ in range(count)]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in pool:
        idle.put(worker)

    def read(file: CorpusFile) -> dict[str, Any]:
        worker = idle.get()
        try:
            return {**_EMPTY_ROW, "file_id": file.id, **worker.read(corpus.content(file))}
        finally:
            idle.put(worker)

    executor = ThreadPoolExecutor(count, thread_name_prefix="note-strings")
    try:
        pending = [executor.submit(read, file) for file in files]
        for done, future in enumerate(as_completed(pending), start=1):
            row = future.result()
            rows[row["file_id"]] = row
            if progress is not None:
                progress(done, len(files))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in pool:
            worker.close()


_EMPTY_ROW = {"reason": "", "names": [], "onsets": [], "durations": [], "tied": []}


class _Worker(WorkerProcess):
    """A process that reads one file at a time; killed and replaced when one takes too long."""

    def __init__(self) -> None:
        super().__init__(__name__, SECONDS_TO_START)

    def read(self, content: bytes) -> dict[str, Any]:
        """The file's columns, or {'reason': why not}."""
        require("music21")
        if not self.start():
            raise LibraryError(
                "music21 did not start within two minutes. Try again when the machine is less busy."
            )
        seconds = SECONDS_PER_FILE * min(1 + len(content) / BYTES_PER_FILE, MOST_TIMES)
        if (answer := self.ask({}, content, seconds)) is not None:
            return answer[0]
        return {"reason": f"music21 did not finish within {seconds:.0f} seconds, or crashed."}


def serve() -> None:
    """The worker's loop: a file there, its columns back."""

    def answer(_: dict[str, Any], content: bytes) -> Answer:
        try:
            events = read_note_events(content)
        except MidiError as error:
            return {"reason": str(error)}, b""
        if not events:
            return {"reason": "music21 finds no note in the file."}, b""
        columns = {
            "names": [event.name for event in events],
            "onsets": [event.onset_quarters for event in events],
            "durations": [event.duration_quarters for event in events],
            "tied": [event.tied for event in events],
        }
        return columns, b""

    answer_questions(lambda: importlib.import_module("music21.midi.translate"), answer)
