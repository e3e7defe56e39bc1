"""Where a corpus comes from: a file, a folder or a zip, read with suspicion.

Fact sheets (`info.csv`) beside the files are understood in two layouts: the Groove MIDI
Dataset's (midi_filename, style, bpm, beat_type, split) and a plain one (file, genre, bpm).
"""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from dj_core.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from dj_core.errors import CorpusError
from dj_core.midi import LIMITS

MIDI_ENDINGS = (".mid", ".midi")
FACT_SHEET = "info.csv"
MAX_FACT_SHEET_BYTES = 20_000_000


@dataclass(frozen=True)
class ZipLimits:
    """What a zip may hold; real drum archives stay far below."""

    entries: int = 5_000
    bytes: int = 200_000_000


ZIP_LIMITS = ZipLimits()


@dataclass(frozen=True)
class Facts:
    """What is known of a file besides its notes; empty or None where nothing is."""

    genre: str = ""
    tempo_bpm: float | None = None
    kind: Literal["beat", "fill"] | None = None
    split: str = ""


class Source(Protocol):
    """The MIDI files of a place, by name."""

    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """The file's bytes, cut off just past the MIDI limit. Raises CorpusError."""
        ...

    def facts(self, name: str) -> Facts:
        """What the place says about the file."""
        ...


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a .mid file, a .zip or a folder. Raises CorpusError."""
    if path.is_dir():
        yield _FolderSource(path, sorted(_walk(path)))
    elif path.suffix.lower() == ".zip":
        with _open_zip(path) as archive:
            yield _ZipSource(archive)
    elif path.is_file() and path.suffix.lower() in MIDI_ENDINGS:
        yield _FolderSource(path.parent, [path], with_genre=False)
    elif path.exists():
        raise CorpusError(
            f"{path.name} is no folder, zip or MIDI file. Choose one of these to import."
        )
    else:
        raise CorpusError(f"There is nothing at {path}. Check the path and try again.")


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`; links are not followed, hidden files and folders left out."""
    try:
        for path in folder.iterdir():
            if path.name.startswith(".") or path.is_symlink() or path.name == "__MACOSX":
                continue
            if path.is_dir():
                yield from _walk(path)
            elif path.is_file():
                yield path
    except OSError as error:
        raise CorpusError(f"{folder} cannot be read: {error.strerror}.") from error


def _is_midi(name: str) -> bool:
    return name.lower().endswith(MIDI_ENDINGS)


class _FolderSource:
    def __init__(self, root: Path, paths: list[Path], with_genre: bool = True) -> None:
        self._root = root
        self._with_genre = with_genre
        self.names = tuple(
            path.relative_to(root).as_posix() for path in paths if _is_midi(path.name)
        )
        self._facts: dict[str, Facts] = {}
        for path in paths:
            if path.name == FACT_SHEET and path.stat().st_size <= MAX_FACT_SHEET_BYTES:
                content = path.read_bytes()
                self._facts |= _fact_sheet(content, path.parent.relative_to(root).as_posix())

    def read(self, name: str) -> bytes:
        try:
            with (self._root / name).open("rb") as file:
                return file.read(LIMITS.bytes + 1)
        except OSError as error:
            raise CorpusError(f"The file could not be opened: {error.strerror}.") from error

    def facts(self, name: str) -> Facts:
        genre = _folder_genre(name) or (self._root.name if self._with_genre else "")
        return self._facts.get(name) or Facts(genre=genre)


class _ZipSource:
    """A zip read entry by entry, in memory; nothing is ever unpacked by its own name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._bytes_read: dict[str, int] = {}
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if sum(entry.file_size for entry in entries) > ZIP_LIMITS.bytes:
            raise CorpusError(_TOO_LARGE)
        if len(entries) > ZIP_LIMITS.entries:
            raise CorpusError(
                f"The zip holds {len(entries):,} files; {ZIP_LIMITS.entries:,} can be imported at "
                "once. Unpack it and import the folder, or split it."
            )
        self._entries = {entry.filename: entry for entry in entries if _visible(entry.filename)}
        self.names = tuple(sorted(name for name in self._entries if _is_midi(name)))
        self._facts: dict[str, Facts] = {}
        for name in self._entries:
            path = PurePosixPath(name)
            if path.name == FACT_SHEET:
                content = self._read(name, MAX_FACT_SHEET_BYTES)
                self._facts |= _fact_sheet(content, path.parent.as_posix())

    def read(self, name: str) -> bytes:
        return self._read(name, LIMITS.bytes + 1)

    def facts(self, name: str) -> Facts:
        return self._facts.get(name) or Facts(genre=_folder_genre(name))

    def _read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of an entry, counted as they come out, not as the zip claims."""
        if sum(self._bytes_read.values()) > ZIP_LIMITS.bytes:
            raise CorpusError(_TOO_LARGE)
        try:
            with self._archive.open(self._entries[name]) as file:
                content = file.read(limit)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError,
                NotImplementedError) as error:  # fmt: skip
            # RuntimeError: password-protected; NotImplementedError: unknown compression
            raise CorpusError(f"The zip gives this file up only in part: {error}.") from error
        self._bytes_read[name] = len(content)
        return content


_TOO_LARGE = f"The zip unpacks to over {ZIP_LIMITS.bytes // 1_000_000} MB. Split it."


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise CorpusError(f"{path.name} cannot be opened as a zip: {error}.") from error
    with archive:
        yield archive


def _visible(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = (part for part in parts if part[0] == "." and part.strip("."))
    return "__MACOSX" not in parts and not any(hidden)


def _folder_genre(name: str) -> str:
    """The folder a file lies in names its genre; '' at the top."""
    return PurePosixPath(name).parent.name.strip(".")


def _fact_sheet(content: bytes, folder: str) -> dict[str, Facts]:
    """The rows of an info.csv by file name; a sheet in another layout says nothing."""
    text = content.decode("utf-8-sig", errors="replace")
    facts = {}
    for row in csv.DictReader(StringIO(text)):
        file = row.get("midi_filename") or row.get("file")
        if not file:
            continue
        style = row.get("style") or row.get("genre") or ""
        kind = row.get("beat_type")
        split = row.get("split")
        facts[(PurePosixPath(folder) / file).as_posix()] = Facts(
            genre=style.split("/")[0],  # Groove writes "funk/groove1": genre, then variant
            tempo_bpm=_tempo(row.get("bpm")),
            kind=kind if kind in ("beat", "fill") else None,
            split=split if split in ("train", "validation", "test") else "",
        )
    return facts


def _tempo(text: str | None) -> float | None:
    try:
        tempo_bpm = float(text or "")
    except ValueError:
        return None
    return tempo_bpm if MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM else None
