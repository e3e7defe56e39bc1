"""The crate: beats worth keeping, with names, tags, ratings and notes.

One SQLite file in the DJ's own folder. A beat is kept to the bit (every hit with its own note and
duration, and its provenance); what a DJ searches by stands in columns beside it. Nothing is held
open between two calls: any number of pages and processes use one crate, and when `keep` returns,
the beat is on disk.
"""

from __future__ import annotations

import sqlite3
import time
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from dj_core.beat import DEFAULT_TEMPO_BPM, Beat, Meter
from dj_core.beat_json import beat_from_json, beat_to_json, canonical_json, parse_json
from dj_core.crate_store import CrateFile
from dj_core.errors import BeatError, LibraryError
from dj_core.genres import genre_label
from dj_core.library import Library
from dj_core.storage import sha256_of

CRATE_NAME = "crate.db"
MAX_RATING = 5
MAX_NAME, MAX_NOTES, MAX_TAG, MAX_TAGS = 120, 4_000, 40, 32
FILE_FORMAT, FILE_VERSION = "digital-dj-crate", 1
MAX_FILE_BYTES = 50_000_000  # about 20,000 beats of four bars
MAX_FILE_BEATS = 50_000
UNDO_SECONDS = 30 * 86_400  # a deleted beat can be brought back for so long

Sort = Literal["newest", "oldest", "name", "tempo", "rating", "genre"]
_ORDER: dict[str, str] = {
    "newest": "number DESC",
    "oldest": "number",
    "name": "name COLLATE NOCASE, number DESC",
    "tempo": f"coalesce(tempo_bpm, {DEFAULT_TEMPO_BPM}), number DESC",
    "rating": "rating DESC, number DESC",
    "genre": "genre, name COLLATE NOCASE, number DESC",
}


@dataclass(frozen=True)
class CrateItem:
    """What the crate's list says of a beat; its hits stay on disk.

    Attributes:
        id: 32 hexadecimal digits, for good.
        key: the beat's `beat_json.beat_key`: the same for the same beat.
        name: what the DJ calls it.
        genre: '' when unknown.
        tempo_bpm: None when the beat says nothing; it then plays at 120.
        bars, meter, hits: its size.
        model, seed: what made it, where a model did.
        tags: in alphabetical order, small letters.
        rating: 0 (none) to 5.
        notes: the DJ's own words.
        created: when it was kept.
    """

    id: str
    key: str
    name: str
    genre: str
    tempo_bpm: float | None
    bars: int
    meter: Meter
    hits: int
    model: str | None
    seed: int | None
    tags: tuple[str, ...]
    rating: int
    notes: str
    created: datetime

    @property
    def playing_tempo_bpm(self) -> float:
        """The tempo it plays at."""
        return self.tempo_bpm or DEFAULT_TEMPO_BPM

    @property
    def duration_seconds(self) -> float:
        """Its length at that tempo."""
        return self.bars * self.meter.bar_quarters * 60 / self.playing_tempo_bpm


@dataclass(frozen=True)
class KeptBeat:
    """A beat of the crate, as it was kept, and what the crate knows of it."""

    item: CrateItem
    beat: Beat

    @property
    def titled(self) -> Beat:
        """The beat under the name the DJ gave it, for files and displays."""
        return replace(self.beat, title=self.item.name)


@dataclass(frozen=True)
class CrateSearch:
    """What to look for; everything given must hold.

    Attributes:
        words: every word occurs in the name, genre, tags, notes or model, however it is spelt
            (capitals and accents do not matter).
        genres: one of these; empty for any.
        tempo_bpm: slowest and fastest, both included.
        tags: all of these.
        min_rating: 0 to 5.
        sort: a key of the crate's orders: 'newest' first and so on.
        ids: only these beats.
    """

    words: str = ""
    genres: frozenset[str] = frozenset()
    tempo_bpm: tuple[float, float] | None = None
    tags: frozenset[str] = frozenset()
    min_rating: int = 0
    sort: Sort = "newest"
    ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.sort not in _ORDER:
            raise LibraryError(
                f"The crate is sorted by {', '.join(get_args(Sort))}; got {self.sort!r}."
            )


@dataclass(frozen=True)
class CrateImport:
    """What a crate file brought: new beats, and how many were in the crate already."""

    added: tuple[CrateItem, ...]
    known: int


@dataclass(frozen=True)
class CrateCheck:
    """The state of a crate: how many beats it holds, and what is wrong, a sentence each."""

    beats: int
    problems: tuple[str, ...]


class Crate:
    """The beats kept in one file. Every method raises LibraryError when that cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = CrateFile(path)

    @classmethod
    def open(cls) -> Crate:
        """The crate in the DJ's own folder."""
        return cls(Library.open().home / CRATE_NAME)

    # -- keeping ---------------------------------------------------------------------------------

    def keep(
        self,
        beat: Beat,
        *,
        name: str = "",
        tags: Iterable[str] = (),
        rating: int = 0,
        notes: str = "",
    ) -> CrateItem:
        """Put a beat in the crate. When this returns it is on disk.

        Args:
            beat: kept to the bit.
            name: up to 120 characters; '' for the beat's own title, else its genre and seed.
            tags: up to 32 of up to 40 characters.
            rating: 0 (none) to 5.
            notes: up to 4,000 characters.
        """
        entry = _Entry.of(beat, name, tags, rating, notes)
        with self._file.writing() as connection:
            _insert(connection, entry)
            return _one(connection, entry.id)

    def keep_all(self, beats: Iterable[Beat]) -> tuple[CrateItem, ...]:
        """Put beats in the crate, all or none of them."""
        entries = [_Entry.of(beat, "", (), 0, "") for beat in beats]
        with self._file.writing() as connection:
            for entry in entries:
                _insert(connection, entry)
            return tuple(_one(connection, entry.id) for entry in entries)

    def duplicate(self, id: str) -> CrateItem:
        """The same beat once more, tags and all, named '… copy'."""
        kept = self.get(id)
        item = kept.item
        return self.keep(
            kept.beat,
            name=_free_copy_name(item.name, {other.name for other in self.find()}),
            tags=item.tags,
            rating=item.rating,
            notes=item.notes,
        )

    # -- looking ---------------------------------------------------------------------------------

    def find(self, search: CrateSearch | None = None) -> tuple[CrateItem, ...]:
        """The beats a search finds, in its order; everything without one."""
        search = search or CrateSearch()
        where, values = _where(search)
        with self._file.reading() as connection:
            tags = _all_tags(connection)
            rows = connection.execute(
                f"SELECT {_LISTED} FROM beats WHERE {where} ORDER BY {_ORDER[search.sort]}", values
            )
            found = [_item(row, tags.get(row["number"], ())) for row in rows]
        words = _folded(search.words).split()
        return tuple(
            item
            for item in found
            if search.tags <= set(item.tags) and all(word in _searched(item) for word in words)
        )

    def get(self, id: str) -> KeptBeat:
        """One beat with its hits. Raises LibraryError when it is gone or altered."""
        with self._file.reading() as connection:
            item = _one(connection, id)
            (text,) = connection.execute("SELECT beat FROM beats WHERE id = ?", (id,)).fetchone()
        return KeptBeat(item, _beat_of(text, item.key, item.name))

    def id_of(self, beat: Beat) -> str | None:
        """The id under which exactly this beat is kept, the latest if several; else None."""
        key = sha256_of(canonical_json(beat_to_json(beat)).encode())
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT id FROM beats WHERE key = ? AND deleted IS NULL ORDER BY number DESC",
                (key,),
            ).fetchone()
        return row["id"] if row else None

    def genres(self) -> dict[str, int]:
        """Beats per genre, by name; '' for those without one."""
        return self._counts("SELECT genre, count(*) FROM beats WHERE deleted IS NULL GROUP BY 1")

    def tags(self) -> dict[str, int]:
        """Beats per tag, by name."""
        return self._counts(
            "SELECT tag, count(*) FROM tags JOIN beats ON number = tags.beat "
            "WHERE deleted IS NULL GROUP BY 1"
        )

    def _counts(self, query: str) -> dict[str, int]:
        with self._file.reading() as connection:
            return dict(sorted(tuple(row) for row in connection.execute(query)))

    # -- changing --------------------------------------------------------------------------------

    def change(
        self,
        id: str,
        *,
        name: str | None = None,
        tags: Iterable[str] | None = None,
        rating: int | None = None,
        notes: str | None = None,
    ) -> CrateItem:
        """Rename, tag, rate or describe a beat; what is None stays as it is."""
        changes: dict[str, Any] = {}
        if name is not None:
            changes["name"] = _checked_text(name, MAX_NAME, "A name", empty=False)
        if rating is not None:
            changes["rating"] = _checked_rating(rating)
        if notes is not None:
            changes["notes"] = _checked_text(notes, MAX_NOTES, "Notes")
        fresh_tags = None if tags is None else _checked_tags(tags)
        with self._file.writing() as connection:
            _one(connection, id)
            for column, value in changes.items():
                connection.execute(f"UPDATE beats SET {column} = ? WHERE id = ?", (value, id))
            if fresh_tags is not None:
                _set_tags(connection, id, fresh_tags)
            return _one(connection, id)

    def delete(self, ids: Iterable[str]) -> int:
        """Take beats out of the crate; returns how many. `restore` brings them back.

        Beats deleted a month ago are forgotten for good.
        """
        now = time.time()
        with self._file.writing() as connection:
            connection.execute("DELETE FROM beats WHERE deleted < ?", (now - UNDO_SECONDS,))
            return _mark(connection, ids, now)

    def restore(self, ids: Iterable[str]) -> int:
        """Bring deleted beats back as they were; returns how many."""
        with self._file.writing() as connection:
            return _mark(connection, ids, None)

    # -- the whole crate ---------------------------------------------------------------------------

    def export(self, ids: Sequence[str] | None = None) -> bytes:
        """The crate, or some beats of it, as one file for another crate: readable JSON."""
        where, values = _where(CrateSearch(ids=None if ids is None else tuple(ids)))
        with self._file.reading() as connection:
            tags = _all_tags(connection)
            beats = [
                {
                    "id": row["id"],
                    "name": row["name"],
                    "tags": list(tags.get(row["number"], ())),
                    "rating": row["rating"],
                    "notes": row["notes"],
                    "created": row["created"],
                    "beat": beat_to_json(_beat_of(row["beat"], row["key"], row["name"])),
                }
                for row in connection.execute(
                    f"SELECT * FROM beats WHERE {where} ORDER BY number", values
                )
            ]
        lines = ",\n".join(canonical_json(beat) for beat in beats)
        head = f'{{"format":"{FILE_FORMAT}","version":{FILE_VERSION},"beats":[\n'
        return f"{head}{lines}\n]}}\n".encode()

    def import_file(self, content: bytes) -> CrateImport:
        """Bring the beats of a crate file in, all or none; those already here are left alone.

        Raises LibraryError for a file that is no crate, damaged, or too large.
        """
        entries = _entries_of_file(content)
        added = []
        with self._file.writing() as connection:
            for entry in entries:
                if not _is_known(connection, entry):
                    _insert(connection, entry)
                    added.append(entry.id)
            items = tuple(_one(connection, id) for id in added)
        return CrateImport(items, len(entries) - len(items))

    def check(self) -> CrateCheck:
        """Read every page and every beat, and say what is wrong."""
        problems = []
        with self._file.reading() as connection:
            for (answer,) in connection.execute("PRAGMA integrity_check"):
                if answer != "ok":
                    problems.append(f"The file is damaged: {answer}.")
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                problems.append("A tag belongs to no beat.")
            count = 0
            for row in connection.execute("SELECT key, name, beat FROM beats"):
                count += 1
                try:
                    _beat_of(row["beat"], row["key"], row["name"])
                except LibraryError as error:
                    problems.append(str(error))
        return CrateCheck(count, tuple(problems))


# -- rows ----------------------------------------------------------------------------------------

_LISTED = (
    "number, id, key, name, genre, tempo_bpm, bars, meter, hits, model, seed, rating, notes, "
    "created"
)


@dataclass(frozen=True)
class _Entry:
    """A beat on its way in, every value checked."""

    id: str
    text: str
    beat: Beat
    name: str
    tags: tuple[str, ...]
    rating: int
    notes: str
    created: float

    @classmethod
    def of(
        cls, beat: Beat, name: str, tags: Iterable[str], rating: int, notes: str
    ) -> _Entry:  # fmt: skip
        try:
            text = canonical_json(beat_to_json(beat))
            if beat_from_json(parse_json(text)) != beat:
                raise BeatError("it holds values that cannot be written down exactly")
        except BeatError as error:
            raise LibraryError(f"This beat cannot be kept: {error}") from error
        return cls(
            id=uuid.uuid4().hex,
            text=text,
            beat=beat,
            name=_checked_text(name, MAX_NAME, "A name") or _usual_name(beat),
            tags=_checked_tags(tags),
            rating=_checked_rating(rating),
            notes=_checked_text(notes, MAX_NOTES, "Notes"),
            created=time.time(),
        )

    @property
    def key(self) -> str:
        return sha256_of(self.text.encode())


def _insert(connection: sqlite3.Connection, entry: _Entry) -> None:
    beat, origin = entry.beat, entry.beat.provenance
    connection.execute(
        "INSERT INTO beats (id, key, name, genre, tempo_bpm, bars, meter, hits, model, seed, "
        "rating, notes, created, beat) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.id, entry.key, entry.name, _plain(beat.genre), beat.tempo_bpm, beat.bars,
            str(beat.meter), len(beat.hits), origin.model and _plain(origin.model),
            origin.seed, entry.rating, entry.notes, entry.created, entry.text,
        ),
    )  # fmt: skip
    _set_tags(connection, entry.id, entry.tags)


def _set_tags(connection: sqlite3.Connection, id: str, tags: tuple[str, ...]) -> None:
    (number,) = connection.execute("SELECT number FROM beats WHERE id = ?", (id,)).fetchone()
    connection.execute("DELETE FROM tags WHERE beat = ?", (number,))
    connection.executemany("INSERT INTO tags VALUES (?, ?)", [(number, tag) for tag in tags])


def _mark(connection: sqlite3.Connection, ids: Iterable[str], deleted: float | None) -> int:
    """Set when beats were deleted; returns how many that changed."""
    standing = "IS NULL" if deleted else "IS NOT NULL"
    return sum(
        connection.execute(
            f"UPDATE beats SET deleted = ? WHERE id = ? AND deleted {standing}", (deleted, id)
        ).rowcount
        for id in ids
    )


def _one(connection: sqlite3.Connection, id: str) -> CrateItem:
    row = connection.execute(
        f"SELECT {_LISTED} FROM beats WHERE id = ? AND deleted IS NULL", (id,)
    ).fetchone()
    if row is None:
        raise LibraryError("This beat is not in the crate any more. Choose another.")
    tags = connection.execute("SELECT tag FROM tags WHERE beat = ? ORDER BY 1", (row["number"],))
    return _item(row, tuple(tag for (tag,) in tags))


def _all_tags(connection: sqlite3.Connection) -> dict[int, tuple[str, ...]]:
    tags: dict[int, tuple[str, ...]] = {}
    for number, tag in connection.execute("SELECT beat, tag FROM tags ORDER BY 1, 2"):
        tags[number] = (*tags.get(number, ()), tag)
    return tags


def _item(row: sqlite3.Row, tags: tuple[str, ...]) -> CrateItem:
    return CrateItem(
        id=row["id"],
        key=row["key"],
        name=row["name"],
        genre=row["genre"],
        tempo_bpm=row["tempo_bpm"],
        bars=row["bars"],
        meter=Meter.parse(row["meter"]),
        hits=row["hits"],
        model=row["model"],
        seed=row["seed"],
        tags=tags,
        rating=row["rating"],
        notes=row["notes"],
        created=datetime.fromtimestamp(row["created"], UTC),
    )


def _beat_of(text: str, key: str, name: str) -> Beat:
    """The beat a row holds. Raises LibraryError when it is not the one that was kept."""
    if sha256_of(text.encode()) != key:
        raise LibraryError(f"The beat {name!r} in the crate was altered from outside.")
    try:
        return beat_from_json(parse_json(text))
    except BeatError as error:
        raise LibraryError(f"The beat {name!r} in the crate cannot be read: {error}") from error


def _is_known(connection: sqlite3.Connection, entry: _Entry) -> bool:
    """Whether the crate has this beat: by its id, or the same music under the same name."""
    row = connection.execute(
        "SELECT 1 FROM beats WHERE (id = ? OR (key = ? AND name = ?)) AND deleted IS NULL",
        (entry.id, entry.key, entry.name),
    ).fetchone()
    if row is None:  # deleted, and brought back by a file: a beat like any other
        connection.execute("DELETE FROM beats WHERE id = ?", (entry.id,))
    return row is not None


# -- searching -----------------------------------------------------------------------------------


def _where(search: CrateSearch) -> tuple[str, list[Any]]:
    """What columns can decide, as SQL; words and tags are decided on the rows found."""
    parts, values = ["deleted IS NULL"], []
    if search.genres:
        parts.append(f"genre IN ({', '.join('?' * len(search.genres))})")
        values += sorted(search.genres)
    if search.tempo_bpm:
        parts.append(f"coalesce(tempo_bpm, {DEFAULT_TEMPO_BPM}) BETWEEN ? AND ?")
        values += search.tempo_bpm
    if search.min_rating:
        parts.append("rating >= ?")
        values.append(search.min_rating)
    if search.ids is not None:
        # as one JSON text: a query takes only so many values
        parts.append("id IN (SELECT value FROM json_each(?))")
        values.append(canonical_json(list(search.ids)))
    return " AND ".join(parts), values


def _searched(item: CrateItem) -> str:
    genre = genre_label(item.genre) if item.genre else ""
    return _folded(
        " ".join((item.name, item.genre, genre, *item.tags, item.notes, item.model or ""))
    )


def _folded(text: str) -> str:
    """`text` without capitals and accents."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


# -- checking ------------------------------------------------------------------------------------


def _usual_name(beat: Beat) -> str:
    """What a beat is called that nobody named: its title, or 'House 124 · seed 7'."""
    if title := _cleaned(beat.title[:MAX_NAME]):
        return title
    parts = [genre_label(beat.genre) if beat.genre else "Beat", f"{beat.playing_tempo_bpm:g}"]
    if beat.provenance.seed is not None:
        parts.append(f"· seed {beat.provenance.seed}")
    return _cleaned(" ".join(parts))[:MAX_NAME]


def _free_copy_name(name: str, taken: set[str]) -> str:
    """'Roller copy', or 'Roller copy 2' where there is one already."""
    base = name[: MAX_NAME - 10]
    number, copy = 1, f"{base} copy"
    while copy in taken:
        number += 1
        copy = f"{base} copy {number}"
    return copy


def _plain(text: str) -> str:
    """`text` as a database takes it: half characters, as odd file names have, are replaced."""
    return text.encode("utf-8", "replace").decode()


def _cleaned(text: str) -> str:
    """`text` without what cannot be seen, and without space around it."""
    return _plain("".join(c for c in text if c.isprintable() or c in "\n\t")).strip()


def _checked_text(text: object, limit: int, what: str, *, empty: bool = True) -> str:
    if not isinstance(text, str):
        raise LibraryError(f"{what} must be a text; got {type(text).__name__}.")
    kept = _cleaned(text)
    if len(kept) > limit or not (kept or empty):
        raise LibraryError(f"{what} must have {0 if empty else 1} to {limit:,} characters.")
    return kept


def _checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise LibraryError(f"Tags are given one by one; got the text {tags[:40]!r}.")
    checked = {_checked_text(tag, MAX_TAG, "A tag").casefold() for tag in tags} - {""}
    if len(checked) > MAX_TAGS:
        raise LibraryError(f"A beat takes up to {MAX_TAGS} tags; got {len(checked)}.")
    return tuple(sorted(checked))


def _checked_rating(rating: object) -> int:
    if type(rating) is not int or not 0 <= rating <= MAX_RATING:
        raise LibraryError(f"A rating is 0 (none) to {MAX_RATING}; got {rating!r:.40}.")
    return rating


# -- crate files ---------------------------------------------------------------------------------


def _entries_of_file(content: bytes) -> list[_Entry]:
    """The beats of a crate file, every one checked. Raises LibraryError."""
    if len(content) > MAX_FILE_BYTES:
        raise LibraryError(
            f"This file has {len(content) / 1e6:.0f} MB; a crate file has up to "
            f"{MAX_FILE_BYTES / 1e6:.0f}. Export it in parts."
        )
    try:
        whole = parse_json(content)
    except BeatError as error:
        raise LibraryError("This is not a crate file, or its end is missing.") from error
    if not isinstance(whole, dict) or whole.get("format") != FILE_FORMAT:
        raise LibraryError("This is not a crate file. Choose one that Digital DJ exported.")
    if whole.get("version") != FILE_VERSION:
        raise LibraryError(
            f"This crate file is of version {whole.get('version')!r:.20}; this Digital DJ reads "
            f"version {FILE_VERSION}. Update Digital DJ."
        )
    beats = whole.get("beats")
    if not isinstance(beats, list) or len(beats) > MAX_FILE_BEATS:
        raise LibraryError(f"A crate file lists up to {MAX_FILE_BEATS:,} beats; this one does not.")
    entries = []
    for number, value in enumerate(beats, start=1):
        try:
            entries.append(_entry_of_file(value))
        except (BeatError, LibraryError) as error:
            raise LibraryError(
                f"Beat {number} of the crate file is damaged: {error} Nothing was brought in."
            ) from error
    return entries


def _entry_of_file(value: object) -> _Entry:
    if not isinstance(value, dict):
        raise LibraryError("it is not written as names and values.")
    tags = value.get("tags", [])
    if not isinstance(tags, list):
        raise LibraryError("its tags are no list.")
    entry = _Entry.of(
        beat_from_json(value.get("beat")),
        _checked_text(value.get("name"), MAX_NAME, "A name", empty=False),
        tags,
        value.get("rating", 0),
        value.get("notes", ""),
    )
    id, created = value.get("id"), value.get("created")
    if not isinstance(id, str) or len(id) != 32 or not set(id) <= set("0123456789abcdef"):
        raise LibraryError("its id is not one of ours.")
    if type(created) not in (int, float) or not 0 <= created <= 4e9:  # up to the year 2096
        raise LibraryError("the time it was kept is missing.")
    return replace(entry, id=id, created=float(created))
