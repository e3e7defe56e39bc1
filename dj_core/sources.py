"""Where a corpus comes from: a file, a folder or a zip, read with suspicion.

Fact sheets (`info.csv`) beside the files are understood in two layouts: the Groove MIDI
Dataset's (midi_filename, style, bpm, beat_type, split) and a plain one (file, genre, bpm).
"""

from __future__ import annotations

import csv
import heapq
import mmap
import os
import struct
import unicodedata
import zipfile
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol, TypeVar

from dj_core.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from dj_core.errors import CorpusError
from dj_core.limits import LIMITS
from dj_core.midi import LIMITS as MIDI_LIMITS

MIDI_ENDINGS = (".mid", ".midi")
FACT_SHEET = "info.csv"
_USUAL_BYTES = 32_768  # of a MIDI file, at most


@dataclass(frozen=True)
class Facts:
    """What is known of a file besides its notes; empty or None where nothing is."""

    genre: str = ""
    tempo_bpm: float | None = None
    kind: Literal["beat", "fill"] | None = None
    split: str = ""


class Source(Protocol):
    """The MIDI files of a place, by name; names ascend and none is there twice."""

    names: Sequence[str]

    def read(self, name: str) -> bytes:
        """The file's bytes, cut off just past the MIDI limit. Raises CorpusError."""
        ...

    def facts(self, name: str) -> Facts:
        """What the place says about the file."""
        ...


def place(text: str) -> Path | str:
    """Where somebody says that files are: a path, or an address that fsspec knows (s3://…)."""
    return text if "://" in text else Path(text)


@contextmanager
def open_source(path: Path | str) -> Iterator[Source]:
    """Open a .mid file, a .zip, a folder or an address. Raises CorpusError."""
    if isinstance(path, str):
        yield _RemoteSource(path)
    elif path.is_dir():
        yield _FolderSource(path, _walk(path))
    elif path.suffix.lower() == ".zip":
        with _open_zip(path) as archive:
            yield _ZipSource(archive)
    elif path.is_file() and path.suffix.lower() in MIDI_ENDINGS:
        yield _FolderSource(path.parent, [path.name], with_genre=False)
    elif path.exists():
        raise CorpusError(
            f"{path.name} is no folder, zip or MIDI file. Choose one of these to import."
        )
    else:
        raise CorpusError(f"There is nothing at {path}. Check the path and try again.")


class Names(Sequence[str]):
    """Names in ascending order, none twice, in little more memory than their letters take.

    A million strings in a tuple are a hundred bytes each; here they are one text.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._text = bytearray()
        self._starts = array("Q")
        self._last = ""
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """Add a name, which comes after all others."""
        self._starts.append(len(self._text))
        self._text += name.encode()
        self._text.append(0)  # in no name that can be shown
        self._last = name

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, place: int) -> str:
        start = self._starts[place]
        return self._text[start : self._text.index(0, start)].decode()

    def __iter__(self) -> Iterator[str]:
        bounds = [*self._starts[::_NAMES_AT_ONCE], len(self._text)]
        for start, end in pairwise(bounds):
            yield from self._text[start : end - 1].decode().split("\0")

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or name > self._last:
            return False
        place = bisect_left(self, name)
        return place < len(self) and self[place] == name


_NAMES_AT_ONCE = 1_024


def _walk(folder: Path, inside: str = "", depth: int = 0) -> Iterator[str]:
    """Names of the files below `folder`, ascending; no links are followed, nothing hidden taken."""
    if depth > LIMITS.folder_depth:
        raise CorpusError(
            f"Folders lie more than {LIMITS.folder_depth} deep in one another. Import the inner "
            "ones by themselves."
        )
    try:
        with os.scandir(folder) as entries:
            found = sorted(filter(None, map(_wanted, entries)))
    except OSError as error:
        raise CorpusError(f"{_shown(folder.name)} cannot be read: {error.strerror}.") from error
    for name in found:
        if name.endswith("/"):
            yield from _walk(folder / name, f"{inside}{name}", depth + 1)
        else:
            yield f"{inside}{name}"


def _wanted(entry: os.DirEntry[str]) -> str:
    """The name of a file, that of a folder with a stroke behind it; '' if it is to be left."""
    name = entry.name
    if name.startswith(".") or entry.is_symlink() or name == "__MACOSX":
        return ""
    if entry.is_dir():
        return f"{name}/"  # so that it stands where the names of its files will
    return name if entry.is_file() else ""


def _is_midi(name: str) -> bool:
    return name.lower().endswith(MIDI_ENDINGS)


class _FolderSource:
    def __init__(self, root: Path, found: Iterable[str], with_genre: bool = True) -> None:
        """`found` are names of files below `root`, ascending."""
        self._root = f"{root}{os.sep}"
        self._genre = _shown(root.name) if with_genre else ""
        plain = Names()
        self._paths: dict[str, str] = {}  # of files that are shown by another name than theirs
        shown = _ShownNames(lambda name: name in self._paths or name in plain)
        fact_sheets = []
        for name in found:
            if _is_midi(name):
                unique = shown.unique(name)
                if unique == name:
                    plain.append(name)
                else:
                    self._paths[unique] = name
            elif name.rpartition("/")[2] == FACT_SHEET:
                fact_sheets.append(name)
        self.names = Names(heapq.merge(plain, sorted(self._paths))) if self._paths else plain
        sheets = _FactSheets()
        for name in fact_sheets:
            if (path := root / name).stat().st_size <= sheets.bytes_left:
                sheets.add(path.read_bytes(), name.rpartition("/")[0])
        self._facts = sheets.facts

    def read(self, name: str) -> bytes:
        try:
            return _start_of(self._root + self._paths.get(name, name), MIDI_LIMITS.bytes + 1)
        except OSError as error:
            raise CorpusError(f"The file could not be opened: {error.strerror}.") from error

    def facts(self, name: str) -> Facts:
        return self._facts.get(name) or _facts_of_genre(_folder_genre(name) or self._genre)


def _start_of(path: str, most: int) -> bytes:
    """At most so many bytes of a file; without a Path and a file object, which cost more."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        content, part = b"", _USUAL_BYTES  # asking for the limit at once would take its memory
        while more := os.read(descriptor, wanted := min(part, most - len(content))):
            content, part = content + more, 2 * part
            if len(more) < wanted:  # its end: files are asked for, no pipes
                break
    finally:
        os.close(descriptor)
    return content


class _RemoteSource:
    """Files below an address that fsspec reaches, read one at a time; fact sheets come along."""

    def __init__(self, address: str) -> None:
        import fsspec

        try:
            self._system, root = fsspec.core.url_to_fs(address)
            found = {path.removeprefix(root).lstrip("/"): path for path in self._system.find(root)}
        except (OSError, ValueError, ImportError) as error:
            raise CorpusError(f"{address} cannot be read: {error}.") from error
        visible = [(name, path) for name, path in sorted(found.items()) if _visible(name)]
        self._paths = _by_shown_name(pair for pair in visible if _is_midi(pair[0]))
        self.names = Names(sorted(self._paths))
        sheets = _FactSheets()
        for name, path in visible:
            if PurePosixPath(name).name == FACT_SHEET:
                sheet = self._start_of(path, LIMITS.fact_sheet_bytes)
                sheets.add(sheet, PurePosixPath(name).parent.as_posix())
        self._facts = sheets.facts

    def read(self, name: str) -> bytes:
        return self._start_of(self._paths[name], MIDI_LIMITS.bytes + 1)

    def _start_of(self, path: str, size: int) -> bytes:
        try:
            with self._system.open(path, "rb") as file:
                return file.read(size)
        except OSError as error:
            raise CorpusError(f"The file could not be opened: {error}.") from error

    def facts(self, name: str) -> Facts:
        return self._facts.get(name) or _facts_of_genre(_folder_genre(name))


class _ZipSource:
    """A zip read entry by entry, in memory; nothing is ever unpacked by its own name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._bytes_read: dict[str, int] = {}
        self._all_bytes_read = 0
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > LIMITS.zip_bytes:
            raise CorpusError(_TOO_LARGE)
        if len(entries) > LIMITS.zip_entries:
            raise CorpusError(_too_many(f"{len(entries):,}"))
        self._entries = _by_shown_name(
            (entry.filename, entry) for entry in entries if _visible(entry.filename)
        )
        self.names = Names(
            sorted(name for name, entry in self._entries.items() if _is_midi(entry.filename))
        )
        self._check_nesting()
        sheets = _FactSheets()
        for name in self._entries:
            path = PurePosixPath(name)
            if path.name == FACT_SHEET:
                sheets.add(self._read(name, LIMITS.fact_sheet_bytes), path.parent.as_posix())
        self._facts = sheets.facts

    def read(self, name: str) -> bytes:
        return self._read(name, MIDI_LIMITS.bytes + 1)

    def facts(self, name: str) -> Facts:
        return self._facts.get(name) or _facts_of_genre(_folder_genre(name))

    def _check_nesting(self) -> None:
        nested = [name for name in self._entries if name.lower().endswith(".zip")]
        if nested and not self.names:
            raise CorpusError(
                f"The zip holds other zips ({nested[0][:60]}) and no MIDI files. Unpack it and "
                "import what is inside."
            )

    def _read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of an entry, counted as they come out, not as the zip claims."""
        entry = self._entries[name]
        if self._all_bytes_read > LIMITS.zip_bytes:
            raise CorpusError(_TOO_LARGE)
        _check_entry(entry)
        try:
            with self._archive.open(entry) as file:
                content = file.read(limit)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError,
                NotImplementedError) as error:  # fmt: skip
            # NotImplementedError: made for a later version; ValueError: a name that is no text
            self._all_bytes_read += min(limit, entry.compress_size * _MOST_SQUEEZED)
            raise CorpusError(f"The zip gives this file up only in part: {error}.") from error
        # a file is read twice, first to find the note map: counted once
        self._all_bytes_read += max(0, len(content) - self._bytes_read.get(name, 0))
        self._bytes_read[name] = max(len(content), self._bytes_read.get(name, 0))
        return content


_TOO_LARGE = f"The zip unpacks to over {LIMITS.zip_bytes // 1_000_000} MB. Split it."
_MOST_SQUEEZED = 1_032  # deflate turns one byte into no more: what a broken entry cost at most
_ENTRY_MARK = b"PK\x01\x02"  # stands before every entry of a zip's table of contents


def _too_many(count: str) -> str:
    return (
        f"The zip holds {count} files; {LIMITS.zip_entries:,} can be imported at once. Unpack it "
        "and import the folder, or split it."
    )


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """Refuse what cannot be read safely. Raises CorpusError."""
    if entry.flag_bits & 0x1:
        raise CorpusError("It is locked with a password. Unpack the zip and import the folder.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # other methods may ask for gigabytes before the first byte
        raise CorpusError("It is packed in an unusual way. Zip the files again and import that.")
    depth = entry.filename.count("/")
    if depth > LIMITS.folder_depth:
        raise CorpusError(f"It lies {depth} folders deep; {LIMITS.folder_depth} are looked into.")


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with path.open("rb") as file:
            _check_table_of_contents(file)
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise CorpusError(f"{path.name} cannot be opened as a zip: {error}.") from error
    with archive:
        yield archive


def _check_table_of_contents(file: BinaryIO) -> None:
    """Refuse a zip of far too many entries before each of them takes memory. Raises CorpusError.

    A zip inside, stored as it is, has marks of its own: twice the limit passes.
    """
    if not os.fstat(file.fileno()).st_size:
        return  # cannot be mapped; zipfile says what is wrong with it
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place, marks = content.find(_ENTRY_MARK), 0
        while place >= 0:
            marks += 1
            if marks > 2 * LIMITS.zip_entries:
                raise CorpusError(_too_many(f"over {2 * LIMITS.zip_entries:,}"))
            place = content.find(_ENTRY_MARK, place + 1)


def _visible(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = (part for part in parts if part[0] == "." and part.strip("."))
    return "__MACOSX" not in parts and not any(hidden)


_Place = TypeVar("_Place")


def _by_shown_name(found: Iterable[tuple[str, _Place]]) -> dict[str, _Place]:
    """Places by names that can be shown; of two files of one name the second is told apart."""
    places: dict[str, _Place] = {}
    shown = _ShownNames(places.__contains__)
    for name, place in found:
        places[shown.unique(name)] = place
    return places


class _ShownNames:
    """Names that can be shown, each another."""

    def __init__(self, is_taken: Callable[[str], bool]) -> None:
        self._is_taken = is_taken
        self._times: Counter[str] = Counter()

    def unique(self, name: str) -> str:
        shown = unique = _shown(name)
        while self._is_taken(unique):
            self._times[shown] += 1
            path = PurePosixPath(shown)
            told_apart = f"{path.stem} ({self._times[shown] + 1}){path.suffix}"
            unique = path.with_name(told_apart).as_posix()
        return unique


def _shown(name: str) -> str:
    """A name without what cannot be seen or turns the direction of writing, and not too long."""
    most = LIMITS.name_characters
    if len(name) <= most and name.isascii() and name.isprintable() and name.strip("./"):
        return name  # nearly all are
    plain = "".join(
        character
        for character in name
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )
    shown = plain if len(plain) <= most else f"…{plain[1 - most :]}"
    return shown if PurePosixPath(shown).name else "unnamed"


def _folder_genre(name: str) -> str:
    """The folder a file lies in names its genre; '' at the top."""
    return _name_of_folder(name.rpartition("/")[0])


@lru_cache(maxsize=1_024)
def _name_of_folder(path: str) -> str:
    return PurePosixPath(path).name.strip(".")


_facts_of_genre = lru_cache(maxsize=1_024)(Facts)


class _FactSheets:
    """What the fact sheets of a place say, by file name; one in another layout says nothing."""

    def __init__(self) -> None:
        self.facts: dict[str, Facts] = {}
        self.bytes_left, self._rows_left = LIMITS.fact_sheet_bytes, LIMITS.fact_sheet_rows

    def add(self, content: bytes, folder: str) -> None:
        """Take the rows of one sheet, until there have been enough of all."""
        self.bytes_left -= len(content)
        if self.bytes_left < 0:
            return
        rows = csv.DictReader(StringIO(content.decode("utf-8-sig", errors="replace")))
        try:
            for row in rows:
                self._rows_left -= 1
                if self._rows_left < 0:
                    return
                self._take(row, folder)
        except csv.Error:
            return  # no table after all; what was read so far is true

    def _take(self, row: dict[str, str | None], folder: str) -> None:
        file = row.get("midi_filename") or row.get("file")
        if not file:
            return
        style = row.get("style") or row.get("genre") or ""
        kind = row.get("beat_type")
        split = row.get("split")
        self.facts[(PurePosixPath(folder) / file).as_posix()] = Facts(
            genre=_shown(style.split("/")[0]) if style else "",  # Groove writes "funk/groove1"
            tempo_bpm=_tempo(row.get("bpm")),
            kind=kind if kind in ("beat", "fill") else None,
            split=split if split in ("train", "validation", "test") else "",
        )


def _tempo(text: str | None) -> float | None:
    try:
        tempo_bpm = float(text or "")
    except ValueError:
        return None
    return tempo_bpm if MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM else None
