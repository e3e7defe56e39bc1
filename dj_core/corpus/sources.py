"""Reads the source of an import safely: a file, a folder or a zip, with limits.

A sound that lies beside its own MIDI file, of the same name but for the ending, is left out.

Fact sheets (`info.csv`) beside the files are understood in two layouts: the Groove MIDI
Dataset's (midi_filename, style, bpm, beat_type, split) and a plain one (file, genre, bpm).
"""

from __future__ import annotations

import csv
import mmap
import os
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from io import FileIO, StringIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from dj_core.errors import CorpusError
from dj_core.files.legacy_text import ZIP_ENCODING, decoded_names, decoded_table
from dj_core.files.midi import MIDI_ENDINGS
from dj_core.host.limits import LIMITS
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from dj_core.sound.decoding import AUDIO_ENDINGS

FACT_SHEET = "info.csv"
CLOSED = ("hidden", "__MACOSX")  # folders that are not looked into
NAMED = 5  # files of a kind that was left out


@dataclass(frozen=True)
class Facts:
    """What is known of a file besides its notes; empty or None where nothing is."""

    genre: str = ""
    tempo_bpm: float | None = None
    kind: Literal["beat", "fill"] | None = None
    split: str = ""


@dataclass(frozen=True)
class FileKind:
    """Which files of a place are wanted.

    Attributes:
        noun: what one is called.
        endings: of their names, in small letters.
        most_bytes: of one of them.
        most_sound_bytes: of a sound among them, where sounds are drum loops beside MIDI files.
    """

    noun: str
    endings: tuple[str, ...]
    most_bytes: int
    most_sound_bytes: int = 0


DRUM_FILES = FileKind(
    "MIDI or sound file",
    (*MIDI_ENDINGS, *AUDIO_ENDINGS),
    LIMITS.midi_bytes,
    LIMITS.track_bytes,
)


def is_sound(name: str) -> bool:
    """Whether a file's ending says that it is a sound."""
    return PurePosixPath(name).suffix.lower() in AUDIO_ENDINGS


class Source:
    """The files of a place, of one kind.

    Attributes:
        names: of those files, ascending, none twice, as they can be shown.
        left_out: names of everything else, by what it is: '.wav', '.zip', 'hidden', 'link', …
    """

    def __init__(
        self,
        found: Iterable[tuple[str, Any]],
        read: Callable[[Any, int], bytes],
        facts: Mapping[str, Facts] | None = None,
        top_genre: str = "",
        wanted: FileKind = DRUM_FILES,
    ) -> None:
        """Sort what was found.

        Args:
            found: names of everything in the place with where `read` finds each; None for what
                is not to be followed.
            read: at most so many bytes from there. Raises CorpusError.
            facts: what is known of files by name, before fact sheets are read.
            top_genre: of files that lie in no folder.
            wanted: the kind of file.
        """
        self._read, self._top_genre, self._wanted = read, top_genre, wanted
        self._places: dict[str, Any] = {}
        left_out: defaultdict[str, list[str]] = defaultdict(list)
        sheets: list[tuple[str, Any]] = []
        times: Counter[PurePosixPath] = Counter()
        for name, place in found:
            shown = _shown(name)
            kind = _kind_of(shown, place)
            if kind in wanted.endings:
                path = PurePosixPath(shown)
                while shown in self._places:  # another of its name: one much like it
                    times[path] += 1
                    shown = str(path.with_name(f"{path.stem} ({times[path] + 1}){path.suffix}"))
                self._places[shown] = place
            elif kind == FACT_SHEET:
                sheets.append((shown.rpartition("/")[0], place))
            else:
                left_out[kind].append(shown)
        written = {name.rpartition(".")[0] for name in self._places if not is_sound(name)}
        for name in [name for name in self._places if is_sound(name)]:
            if facts is None and name.rpartition(".")[0] in written:
                del self._places[name]
                left_out[PurePosixPath(name).suffix.lower()].append(name)
        self.names = tuple(sorted(self._places))
        self.left_out = {kind: tuple(sorted(left_out[kind])) for kind in sorted(left_out)}
        self._facts = dict(facts or {})
        self._take_facts(sheets)

    def read(self, name: str) -> bytes:
        """The file's bytes, cut off just past their limit. Raises CorpusError."""
        most = self._wanted.most_sound_bytes * is_sound(name) or self._wanted.most_bytes
        return self._read(self._places[name], most + 1)

    def facts(self, name: str) -> Facts:
        """What the place says about the file; a folder names the genre where nothing else does."""
        folder = name.rpartition("/")[0]
        return self._facts.get(name) or _facts_of_folder(folder, self._top_genre)

    def _take_facts(self, sheets: Sequence[tuple[str, Any]]) -> None:
        """What fact sheets say, until there has been enough of them; no table says nothing."""
        bytes_left, rows_left = LIMITS.fact_sheet_bytes, LIMITS.fact_sheet_rows
        for folder, place in sheets:
            try:
                content = self._read(place, LIMITS.fact_sheet_bytes + 1)
                bytes_left -= len(content)
                if bytes_left < 0:
                    return
                for row in _rows_of(decoded_table(content)):
                    rows_left -= 1
                    if rows_left < 0:
                        return
                    file = (row.get("midi_filename") or row.get("file") or "").strip()
                    if file:
                        path = PurePosixPath(folder, file.replace("\\", "/"))
                        self._facts[_shown(path.as_posix())] = _facts_of(row)
            except (csv.Error, CorpusError):
                continue  # no table after all; what was read so far is true


def place(text: str) -> Path | str:
    """Where somebody says that files are: a path, or an address that fsspec knows (s3://…)."""
    return text if "://" in text else Path(text)


@contextmanager
def open_source(path: Path | str, wanted: FileKind = DRUM_FILES) -> Iterator[Source]:
    """Open a file, a .zip, a folder or an address. Raises CorpusError."""
    if isinstance(path, str):
        yield _remote(path, wanted)
    elif path.is_dir():
        yield Source(_walk(path), _start_of, top_genre=_shown(path.name), wanted=wanted)
    elif path.suffix.lower() == ".zip":
        try:
            with path.open("rb") as file:
                _check_table_of_contents(file)
            archive = zipfile.ZipFile(path)
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
        ) as error:
            raise CorpusError(f"{path.name} cannot be opened as a zip: {error}.") from error
        with archive:
            yield _in_zip(archive, wanted)
    elif path.is_file() and path.suffix.lower() in wanted.endings:
        yield Source([(path.name, str(path))], _start_of, wanted=wanted)
    elif path.exists():
        raise CorpusError(
            f"{path.name} is no folder, zip or {wanted.noun} ({', '.join(wanted.endings)}). Choose "
            "one of these to import."
        )
    else:
        raise CorpusError(f"There is nothing at {path}. Check the path and try again.")


def _kind_of(name: str, place: object) -> str:
    """A MIDI ending, `FACT_SHEET`, or what else it is, in a word to count by."""
    path = PurePosixPath(name)
    if "__MACOSX" in path.parts:
        return "__MACOSX"
    if any(part[0] == "." and part.strip(".") for part in path.parts):
        return "hidden"
    if place is None:
        return "link"
    if path.name.lower() == FACT_SHEET:
        return FACT_SHEET
    return path.suffix.lower() or "without an ending"


def counted_left_out(left_out: Mapping[str, Sequence[str]]) -> str:
    """What was left out, counted by kind, with the first names of each."""
    parts = []
    for kind, names in left_out.items():
        more = f", … {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        parts.append(f"{len(names):,} {kind} ({', '.join(names[:NAMED])}{more})")
    return "; ".join(parts)


# --- a folder, an address ---------------------------------------------------------------------


def _walk(folder: Path, inside: str = "", depth: int = 0) -> Iterator[tuple[str, str | None]]:
    """Everything below `folder` in the order of names; links and what is hidden are not entered."""
    if depth > LIMITS.folder_depth:
        raise CorpusError(
            f"Folders lie more than {LIMITS.folder_depth} deep in one another. Import the inner "
            "ones by themselves."
        )
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(f"{_shown(folder.name)} cannot be read: {error.strerror}.") from error
    for entry in found:
        name = f"{inside}{entry.name}"
        if not entry.is_symlink() and entry.is_dir() and _kind_of(entry.name, entry) not in CLOSED:
            yield from _walk(folder / entry.name, f"{name}/", depth + 1)
        else:
            yield name, entry.path if entry.is_file(follow_symlinks=False) else None


def _start_of(path: str, most: int) -> bytes:
    """At most so many bytes of a file."""
    try:
        with FileIO(path) as file:  # a Path and a buffer cost more
            return file.read(most)
    except OSError as error:
        raise CorpusError(f"The file could not be opened: {error.strerror}.") from error


def _remote(address: str, wanted: FileKind) -> Source:
    """Files below an address that fsspec reaches, read one at a time; fact sheets come along."""
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(address)
        found = sorted((path.removeprefix(root).lstrip("/"), path) for path in system.find(root))
    except (OSError, ValueError, ImportError) as error:
        raise CorpusError(f"{address} cannot be read: {error}.") from error

    def read(path: str, most: int) -> bytes:
        try:
            with system.open(path, "rb") as file:
                start: bytes = file.read(most)
                return start
        except OSError as error:
            raise CorpusError(f"The file could not be opened: {error}.") from error

    return Source(found, read, wanted=wanted)


# --- a zip ------------------------------------------------------------------------------------


def _in_zip(archive: zipfile.ZipFile, wanted: FileKind) -> Source:
    """What is in a zip, read entry by entry, in memory; nothing is unpacked by its own name."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if sum(entry.file_size for entry in entries) > LIMITS.zip_bytes:
        raise CorpusError(_TOO_LARGE)
    if len(entries) > LIMITS.zip_entries:
        raise CorpusError(_too_many(f"{len(entries):,}"))
    read = 0

    def read_entry(entry: zipfile.ZipInfo, limit: int) -> bytes:
        """At most `limit` bytes of an entry, counted as they come out, not as the zip claims."""
        nonlocal read
        if read > LIMITS.zip_bytes:
            raise CorpusError(_TOO_LARGE)
        if entry.flag_bits & 0x1:
            raise CorpusError("It is locked with a password. Unpack the zip and import the folder.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # other methods may ask for gigabytes before the first byte
            raise CorpusError(
                "It is packed in an unusual way. Zip the files again and import that."
            )
        depth = entry.filename.count("/")
        if depth > LIMITS.folder_depth:
            raise CorpusError(
                f"It lies {depth} folders deep; {LIMITS.folder_depth} are looked into."
            )
        try:
            with archive.open(entry) as file:
                content = file.read(limit)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError,
                NotImplementedError) as error:  # fmt: skip
            # NotImplementedError: made for a later version; ValueError: a name that is no text
            read += min(limit, entry.compress_size * _MOST_SQUEEZED)
            raise CorpusError(f"The zip gives this file up only in part: {error}.") from error
        read += len(content)
        return content

    return Source(zip(_names_in_zip(entries), entries, strict=True), read_entry, wanted=wanted)


def _names_in_zip(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The entries' names; those that do not say that they are UTF-8 are guessed together."""
    names = [entry.filename for entry in entries]
    unmarked = [
        place
        for place, entry in enumerate(entries)
        if not entry.flag_bits & _NAME_IS_UTF8 and not entry.filename.isascii()
    ]
    raw = [entries[place].orig_filename.encode(ZIP_ENCODING, "replace") for place in unmarked]
    for place, name in zip(unmarked, decoded_names(raw), strict=True):
        names[place] = _unicode_path(entries[place]) or name.partition("\0")[0]
    return [name.replace("\\", "/") for name in names]  # as Windows' own programs once wrote them


def _unicode_path(entry: zipfile.ZipInfo) -> str:
    """The name in UTF-8 that Info-ZIP keeps beside the old one; '' where there is none."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _UNICODE_PATH and extra[4:5] == b"\x01":
            return extra[9 : 4 + size].decode("utf-8", "replace")
        extra = extra[4 + size :]
    return ""


_NAME_IS_UTF8 = 0x800  # flag of an entry
_UNICODE_PATH = 0x7075  # extra field of an entry: version, checksum of the old name, name
_TOO_LARGE = f"The zip unpacks to over {LIMITS.zip_bytes // 1_000_000} MB. Split it."
_MOST_SQUEEZED = 1_032  # deflate turns one byte into no more: what a broken entry cost at most
_ENTRY_MARK = b"PK\x01\x02"  # stands before every entry of a zip's table of contents


def _too_many(count: str) -> str:
    return (
        f"The zip holds {count} files; {LIMITS.zip_entries:,} can be imported at once. Unpack it "
        "and import the folder, or split it."
    )


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


def _shown(name: str) -> str:
    """A name without what cannot be seen or turns the direction of writing, and not too long."""
    most = LIMITS.name_characters
    if len(name) <= most and name.isascii() and name.isprintable() and name.strip("./"):
        return name  # nearly all are
    plain = "".join(
        character
        for character in unicodedata.normalize("NFC", name)  # as macOS does not
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )
    shown = plain if len(plain) <= most else f"…{plain[1 - most :]}"
    return shown if PurePosixPath(shown).name else "unnamed"


@lru_cache(maxsize=1_024)
def _facts_of_folder(path: str, top_genre: str) -> Facts:
    return Facts(PurePosixPath(path).name.strip(".") or top_genre)


# --- fact sheets ------------------------------------------------------------------------------


def _rows_of(table: str) -> Iterator[dict[str, str]]:
    """Rows of a table by its header's names, whatever spreadsheet it came from."""
    table = table.replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = table.partition("\n")
    if first.lower().startswith("sep="):  # Excel's own word for it
        table, first = rest, rest.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(StringIO(table), delimiter=delimiter)
    header = [name.strip().lower() for name in next(rows, [])]
    for row in rows:
        yield dict(zip(header, row, strict=False))


def _facts_of(row: dict[str, str]) -> Facts:
    """What a row says of its file."""
    style = row.get("style") or row.get("genre") or ""
    kind, split = row.get("beat_type"), row.get("split")
    tempo_bpm = 0.0
    with suppress(ValueError):
        tempo_bpm = float((row.get("bpm") or "").strip().replace(",", "."))
    return Facts(
        genre=_shown(style.split("/")[0]) if style else "",  # Groove writes "funk/groove1"
        tempo_bpm=tempo_bpm if MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM else None,
        kind="beat" if kind == "beat" else "fill" if kind == "fill" else None,
        split=split if split in ("train", "validation", "test") else "",
    )
