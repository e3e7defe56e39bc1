"""The crate: beats worth keeping, with names, tags, ratings and notes.

One SQLite file in the DJ's own folder. A beat is kept to the bit (every hit with its own note and
duration, and its provenance); what a DJ searches by stands in columns beside it. Nothing is held
open between two calls: any number of pages and processes use one crate, and when `keep` returns,
the beat is on disk. What lists beats never reads their hits.
"""

from __future__ import annotations

import json
import sqlite3
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from dj_core.errors import BeatError, DigitalDJError, LibraryError, SoundError
from dj_core.files.beat_json import (
    beat_from_json,
    beat_key,
    beat_to_json,
    canonical_json,
    parse_json,
)
from dj_core.files.storage import sha256_of
from dj_core.host.limits import LIMITS
from dj_core.library.crate_store import CrateFile
from dj_core.library.library import Library
from dj_core.music.beat import DEFAULT_TEMPO_BPM, MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat, Meter
from dj_core.music.genres import genre_label
from dj_core.music.traits import usual_name
from dj_core.sound.beat_sound import (
    USUAL_SOUND,
    BeatSound,
    sound_from_json,
    sound_to_json,
)

CRATE_NAME = "crate.db"
MAX_RATING = 5
MAX_NAME, MAX_NOTES, MAX_TAG, MAX_TAGS = 120, 4_000, 40, 32
FILE_FORMAT, FILE_VERSION = "digital-dj-crate", 1
MAX_FILE_BYTES = 50_000_000  # about 20,000 beats of four bars
UNDO_SECONDS = 30 * 86_400  # a deleted beat can be brought back for so long

Sort = Literal["newest", "oldest", "name", "tempo", "rating", "genre"]
_TEMPO = f"coalesce(tempo_bpm, {DEFAULT_TEMPO_BPM})"
_ORDER: dict[str, str] = {
    "newest": "number DESC",
    "oldest": "number",
    "name": "name COLLATE NOCASE, number DESC",
    "tempo": f"{_TEMPO}, number DESC",
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


@dataclass(frozen=True)
class KeptBeat:
    """A beat of the crate, as it was kept; what the crate knows of it, and its sound."""

    item: CrateItem
    beat: Beat
    sound: BeatSound = USUAL_SOUND

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
class CrateOverview:
    """The crate as a whole.

    Attributes:
        beats: how many it holds.
        genres: beats per genre, by name; '' for those without one.
        tags: beats per tag, by name.
        tempo_bpm: the slowest and the fastest; None for an empty crate.
    """

    beats: int
    genres: Mapping[str, int]
    tags: Mapping[str, int]
    tempo_bpm: tuple[float, float] | None


@dataclass(frozen=True)
class CrateImport:
    """What a crate file brought.

    Attributes:
        added: the new beats.
        known: how many were in the crate already.
        damaged: why others could not be read, a sentence each.
    """

    added: tuple[CrateItem, ...]
    known: int
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class CrateExport:
    """A crate file, and why beats that could not be read are not in it, a sentence each."""

    content: bytes
    damaged: tuple[str, ...] = ()


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
        sound: BeatSound = USUAL_SOUND,
    ) -> CrateItem:
        """Put a beat in the crate. When this returns it is on disk.

        Args:
            beat: kept to the bit.
            name: up to 120 characters; '' for the beat's own title, else its genre and seed.
            tags: up to 32 of up to 40 characters.
            rating: 0 (none) to 5.
            notes: up to 4,000 characters.
            sound: what it is heard with.
        """
        entry = _entry(beat, name, tags, rating, notes, sound)
        with self._file.writing() as connection:
            _insert(connection, entry)
            _check_room(connection)
            return _one(connection, entry["id"])

    def duplicate(self, id: str) -> CrateItem:
        """The same beat once more, tags and all, named '… copy', or '… copy 2' and so on."""
        kept = self.get(id)
        item = kept.item
        base = item.name[: MAX_NAME - 10]
        number, name = 1, f"{base} copy"
        with self._file.reading() as connection:
            taken = f"SELECT 1 FROM beats WHERE name = ? AND {_STANDING}"
            while connection.execute(taken, (name,)).fetchone():
                number += 1
                name = f"{base} copy {number}"
        return self.keep(
            kept.beat,
            name=name,
            tags=item.tags,
            rating=item.rating,
            notes=item.notes,
            sound=kept.sound,
        )

    # -- looking ---------------------------------------------------------------------------------

    def find(
        self, search: CrateSearch | None = None, *, first: int = 0, most: int | None = None
    ) -> tuple[CrateItem, ...]:
        """The beats a search finds, in its order; everything without one.

        Args:
            first: how many to pass over, for a list that is shown in parts.
            most: how many to give; None for all.
        """
        search = search or CrateSearch()
        with self._file.reading() as connection:
            where, values = _where(search, connection)
            rows = connection.execute(
                f"SELECT {_LISTED} FROM beats WHERE {where} ORDER BY {_ORDER[search.sort]} "
                "LIMIT ? OFFSET ?",
                (*values, -1 if most is None else most, first),
            )
            return tuple(_item(row) for row in rows)

    def count(self, search: CrateSearch | None = None) -> int:
        """How many beats a search finds."""
        with self._file.reading() as connection:
            where, values = _where(search or CrateSearch(), connection)
            found = connection.execute(f"SELECT count(*) FROM beats WHERE {where}", values)
            count: int = found.fetchone()[0]
            return count

    def overview(self) -> CrateOverview:
        """How much of what is in the crate."""
        with self._file.reading() as connection:
            genres = connection.execute(
                f"SELECT genre, count(*) FROM beats WHERE {_STANDING} GROUP BY 1 ORDER BY 1"
            ).fetchall()
            tags = connection.execute(
                "SELECT tag, count(*) FROM tags JOIN beats ON number = tags.beat "
                f"WHERE {_STANDING} GROUP BY 1 ORDER BY 1"
            ).fetchall()
            slowest, fastest = connection.execute(
                f"SELECT min({_TEMPO}), max({_TEMPO}) FROM beats WHERE {_STANDING}"
            ).fetchone()
        return CrateOverview(
            beats=sum(number for _, number in genres),
            genres=dict(tuple(row) for row in genres),
            tags=dict(tuple(row) for row in tags),
            tempo_bpm=None if slowest is None else (slowest, fastest),
        )

    def get(self, id: str) -> KeptBeat:
        """One beat with its hits. Raises LibraryError when it is gone or altered."""
        with self._file.reading() as connection:
            item = _one(connection, id)
            query = "SELECT beat, sound FROM beats WHERE id = ?"
            text, sound = connection.execute(query, (id,)).fetchone()
        return KeptBeat(item, _beat_of(text, item.key, item.name), _sound_of(sound))

    def id_of(self, beat: Beat) -> str | None:
        """The id under which exactly this beat is kept, the latest if several; else None."""
        query = f"SELECT id FROM beats WHERE key = ? AND {_STANDING} ORDER BY number DESC"
        with self._file.reading() as connection:
            row = connection.execute(query, (beat_key(beat),)).fetchone()
        return row["id"] if row else None

    def sound_of(self, id: str) -> BeatSound:
        """What a beat is heard with. Raises LibraryError when it is gone."""
        with self._file.reading() as connection:
            _one(connection, id)
            row = connection.execute("SELECT sound FROM beats WHERE id = ?", (id,)).fetchone()
        return _sound_of(row["sound"])

    # -- changing --------------------------------------------------------------------------------

    def change(
        self,
        id: str,
        *,
        name: str | None = None,
        tags: Iterable[str] | None = None,
        rating: int | None = None,
        notes: str | None = None,
        seen: Mapping[str, object] | None = None,
    ) -> CrateItem:
        """Rename, tag, rate or describe a beat; what is None stays as it is.

        Args:
            seen: the fields to change as whoever changes them saw them. What was changed elsewhere
                since then is not written over: LibraryError says so, and nothing changes.
        """
        given = {"name": name, "rating": rating, "notes": notes, "tags": tags}
        wanted = {
            field: _CHECKED[field](value) for field, value in given.items() if value is not None
        }
        expected = {field: _CHECKED[field](seen[field]) for field in wanted} if seen else {}
        with self._file.writing() as connection:
            now = _one(connection, id)
            for field, value in wanted.items():
                current = getattr(now, field)
                if current not in (expected.get(field, current), value):
                    raise LibraryError(
                        f"The {field} of {now.name!r} changed elsewhere meanwhile, to "
                        f"{_shown(current)}. Yours, {_shown(value)}, is not written."
                    )
                if field == "tags":
                    _set_tags(connection, id, value)
                else:
                    connection.execute(f"UPDATE beats SET {field} = ? WHERE id = ?", (value, id))
            return _one(connection, id)

    def set_sound(self, id: str, sound: BeatSound) -> None:
        """Have a beat heard with something else. Raises LibraryError when it is gone."""
        with self._file.writing() as connection:
            _one(connection, id)
            text = canonical_json(sound_to_json(sound))
            connection.execute("UPDATE beats SET sound = ? WHERE id = ?", (text, id))

    def add_tags(self, ids: Iterable[str], tags: Iterable[str]) -> int:
        """Give beats further tags, all of them or none; returns how many beats had them not yet."""
        added = set(_checked_tags(tags))
        changed = 0
        with self._file.writing() as connection:
            for id in ids:
                item = _one(connection, id)
                if not added <= set(item.tags):
                    _set_tags(connection, id, _checked_tags({*item.tags, *added}))
                    changed += 1
        return changed

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

    def export(self, ids: Sequence[str] | None = None) -> CrateExport:
        """The crate, or some beats of it, as one file for another crate: readable JSON."""
        search = CrateSearch(ids=None if ids is None else tuple(ids))
        lines, damaged = [], []
        with self._file.reading() as connection:
            where, values = _where(search, connection)
            rows = connection.execute(
                f"SELECT {_LISTED}, beat, sound FROM beats WHERE {where} ORDER BY number", values
            )
            for row in rows:
                item = _item(row)
                try:
                    beat = beat_to_json(_beat_of(row["beat"], item.key, item.name))
                    names = ("id", "name", "tags", "rating", "notes")
                    described = {name: getattr(item, name) for name in names}
                    described |= {"created": row["created"], "beat": beat}
                    described["sound"] = sound_to_json(_sound_of(row["sound"]))
                    lines.append(canonical_json(described))
                except DigitalDJError as error:
                    damaged.append(str(error))
        head = f'{{"format":"{FILE_FORMAT}","version":{FILE_VERSION},"beats":[\n'
        whole = ",\n".join(lines)
        return CrateExport(f"{head}{whole}\n]}}\n".encode(), tuple(damaged))

    def import_file(
        self, content: bytes, most_seconds: float = LIMITS.crate_seconds
    ) -> CrateImport:
        """Bring the beats of a crate file in; those already here are left alone.

        A damaged beat costs only itself. Raises LibraryError, and brings nothing in, for a file
        that is no crate, holds no sound beat, is too large, or takes longer than `most_seconds`.
        """
        deadline = time.monotonic() + most_seconds
        entries, damaged = [], []
        for number, value in enumerate(_values_of_file(content), start=1):
            if time.monotonic() > deadline:
                raise LibraryError(
                    f"Reading this crate file took over {most_seconds:g} seconds; nothing of it "
                    "was brought in. Export it in parts."
                )
            try:
                entries.append(_entry_of_file(value))
            except (BeatError, LibraryError, SoundError) as error:
                damaged.append(f"Beat {number} of the crate file is damaged: {error}")
        if damaged and not entries:
            raise LibraryError(f"{damaged[0]} Nothing was brought in.")
        added = []
        with self._file.writing() as connection:
            for entry in entries:
                # by its id, or the same music under the same name
                same = "(id = :id OR (key = :key AND name = :name))"
                known = f"SELECT 1 FROM beats WHERE {same} AND {_STANDING}"
                if not connection.execute(known, entry).fetchone():
                    # deleted, and brought back by a file: a beat like any other
                    connection.execute("DELETE FROM beats WHERE id = :id", entry)
                    _insert(connection, entry)
                    added.append(entry["id"])
            _check_room(connection)
            items = tuple(_one(connection, id) for id in added)
        return CrateImport(items, len(entries) - len(items), tuple(damaged))


# -- rows ----------------------------------------------------------------------------------------

_LISTED = (
    "number, id, key, name, genre, tempo_bpm, bars, meter, hits, model, seed, rating, notes, "
    "created, (SELECT json_group_array(tag) FROM tags WHERE tags.beat = beats.number) AS tags"
)
_STANDING = "number NOT IN (SELECT number FROM beats WHERE deleted IS NOT NULL)"


def _entry(
    beat: Beat,
    name: str,
    tags: Iterable[str],
    rating: int,
    notes: str,
    sound: BeatSound,
    was_json: bool = False,
) -> dict[str, Any]:
    """A beat on its way in, by column, every value checked; and its tags.

    `was_json`: the beat was just read from JSON, so it can be written as such.
    """
    try:
        text = canonical_json(beat_to_json(beat))
        if not was_json and beat_from_json(parse_json(text)) != beat:
            raise BeatError("it holds values that cannot be written down exactly")
    except BeatError as error:
        raise LibraryError(f"This beat cannot be kept: {error}") from error
    name = _checked_text(name, MAX_NAME, "A name")
    if not name:  # its title, or 'House 124 · late claps'
        name = _cleaned(usual_name(beat)) or usual_name(replace(beat, title=""))
        name = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
    origin = beat.provenance
    return {
        "id": uuid.uuid4().hex,
        "key": sha256_of(text.encode()),
        "name": name,
        "genre": _plain(beat.genre),
        "tempo_bpm": beat.tempo_bpm,
        "bars": beat.bars,
        "meter": str(beat.meter),
        "hits": len(beat.hits),
        "model": origin.model and _plain(origin.model),
        "seed": origin.seed,
        "rating": _checked_rating(rating),
        "notes": _checked_text(notes, MAX_NOTES, "Notes"),
        "created": time.time(),
        "beat": text,
        "sound": canonical_json(sound_to_json(sound)),
        "tags": _checked_tags(tags),
    }


def _insert(connection: sqlite3.Connection, entry: dict[str, Any]) -> None:
    names = [name for name in entry if name != "tags"]
    connection.execute(
        f"INSERT INTO beats ({', '.join(names)}) VALUES (:{', :'.join(names)})", entry
    )
    _set_tags(connection, entry["id"], entry["tags"])


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


def _check_room(connection: sqlite3.Connection) -> None:
    """Raise LibraryError where the crate has grown beyond what a host allows.

    Beats that were deleted make room first, those longest gone before the others.
    """
    (beats,) = connection.execute("SELECT count(*) FROM beats").fetchone()
    if beats > LIMITS.crate_beats:
        connection.execute(
            "DELETE FROM beats WHERE number IN (SELECT number FROM beats "
            "WHERE deleted IS NOT NULL ORDER BY deleted LIMIT ?)",
            (beats - LIMITS.crate_beats,),
        )
        (beats,) = connection.execute("SELECT count(*) FROM beats").fetchone()
    if _used_bytes(connection) > LIMITS.crate_bytes:
        connection.execute("DELETE FROM beats WHERE deleted IS NOT NULL")
    if beats > LIMITS.crate_beats or _used_bytes(connection) > LIMITS.crate_bytes:
        raise LibraryError(
            f"The crate is full: it holds up to {LIMITS.crate_beats:,} beats and "
            f"{LIMITS.crate_bytes / 1e6:,.0f} MB. Nothing was added. Delete some beats first."
        )


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    used: int = (pages - free) * size
    return used


def _one(connection: sqlite3.Connection, id: str) -> CrateItem:
    row = connection.execute(
        f"SELECT {_LISTED} FROM beats WHERE id = ? AND {_STANDING}", (id,)
    ).fetchone()
    if row is None:
        raise LibraryError("This beat is not in the crate any more. Choose another.")
    return _item(row)


def _item(row: sqlite3.Row) -> CrateItem:
    """A row as it is listed; what is damaged in it is as if nobody had said it.

    The beat itself is checked where it is read: the list stands whatever one row holds.
    """

    def sound(column: str, instead: Any) -> Any:  # noqa: ANN401 - of the type of `instead`
        value = row[column]
        return value if isinstance(value, type(instead)) else instead

    try:
        meter = Meter.parse(sound("meter", ""))
    except BeatError:
        meter = Meter()
    try:
        created = datetime.fromtimestamp(sound("created", 0.0), UTC)
    except (ValueError, OverflowError, OSError):
        created = datetime.fromtimestamp(0, UTC)
    tempo = sound("tempo_bpm", 0.0)
    return CrateItem(
        **{name: sound(name, "") for name in ("id", "key", "name", "genre", "notes")},
        tempo_bpm=tempo if MIN_TEMPO_BPM <= tempo <= MAX_TEMPO_BPM else None,
        bars=sound("bars", 0),
        meter=meter,
        hits=sound("hits", 0),
        model=sound("model", "") or None,
        seed=row["seed"] if isinstance(row["seed"], int) else None,
        tags=tuple(sorted(str(tag) for tag in json.loads(row["tags"]))),
        rating=min(max(sound("rating", 0), 0), MAX_RATING),
        created=created,
    )


def _beat_of(text: str, key: str, name: str) -> Beat:
    """The beat a row holds. Raises LibraryError when it is not the one that was kept."""
    if not isinstance(text, str) or sha256_of(text.encode()) != key:
        raise LibraryError(f"The beat {name!r} in the crate was altered from outside.")
    try:
        return beat_from_json(parse_json(text))
    except BeatError as error:
        raise LibraryError(f"The beat {name!r} in the crate cannot be read: {error}") from error


def _sound_of(text: object) -> BeatSound:
    """The sound a row holds; the usual one where none is written, or it is damaged."""
    try:
        return sound_from_json(parse_json(text)) if isinstance(text, str) else USUAL_SOUND
    except (BeatError, SoundError):
        return USUAL_SOUND


# -- searching -----------------------------------------------------------------------------------


def _where(search: CrateSearch, connection: sqlite3.Connection) -> tuple[str, list[Any]]:
    """A search as SQL for this connection."""
    parts = [_STANDING]
    values: list[Any] = []
    if search.genres:
        parts.append(f"genre IN ({', '.join('?' * len(search.genres))})")
        values += sorted(search.genres)
    if search.tempo_bpm:
        parts.append(f"{_TEMPO} BETWEEN ? AND ?")
        values += search.tempo_bpm
    if search.min_rating:
        parts.append("rating >= ?")
        values.append(search.min_rating)
    for tag in sorted(search.tags):
        parts.append("EXISTS (SELECT 1 FROM tags WHERE tags.beat = beats.number AND tag = ?)")
        values.append(tag)
    if search.ids is not None:
        # as one JSON text: a query takes only so many values
        parts.append("id IN (SELECT value FROM json_each(?))")
        values.append(canonical_json(list(search.ids)))
    words = _folded(search.words).split()
    if words:

        def has_words(*fields: bytes | None) -> bool:
            said = [(field or b"").decode("utf-8", "replace") for field in fields]
            genre = said[0]
            text = _folded(" ".join((*said, genre_label(genre) if genre else "")))
            return all(word in text for word in words)

        connection.create_function("has_words", 5, has_words)
        tags = "(SELECT group_concat(tag, ' ') FROM tags WHERE tags.beat = beats.number)"
        fields = ", ".join(
            f"CAST({field} AS BLOB)" for field in ("genre", "name", "notes", "model", tags)
        )
        parts.append(f"has_words({fields})")
    return " AND ".join(parts), values


def _folded(text: str) -> str:
    """`text` without capitals and accents."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


# -- checking ------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """`text` as a database takes it: half characters, as odd file names have, are replaced."""
    return text.encode("utf-8", "replace").decode()


def _cleaned(text: str) -> str:
    """`text` without what cannot be seen, and without space around it."""
    return _plain("".join(c for c in text if c.isprintable() or c in "\n\t")).strip()


def _shown(value: object) -> str:
    """A name, tags, a rating or notes for a message."""
    words = ", ".join(value) if isinstance(value, tuple) else f"{value}"
    return f"“{words[:200]}”" if words else "nothing"


def _checked_text(text: object, limit: int, what: str, *, empty: bool = True) -> str:
    if not isinstance(text, str):
        raise LibraryError(f"{what} must be a text; got {type(text).__name__}.")
    kept = _cleaned(text)
    if len(kept) > limit or not (kept or empty):
        raise LibraryError(
            f"{what} must have {0 if empty else 1} to {limit:,} characters; this one has "
            f"{len(kept):,}."
        )
    return kept


def _checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise LibraryError(f"Tags are given one by one; got {tags!r:.40}.")
    checked = {_checked_text(tag, MAX_TAG, "A tag").casefold() for tag in tags} - {""}
    if len(checked) > MAX_TAGS:
        raise LibraryError(f"A beat takes up to {MAX_TAGS} tags; got {len(checked)}.")
    return tuple(sorted(checked))


def _checked_rating(rating: object) -> int:
    if type(rating) is not int or not 0 <= rating <= MAX_RATING:
        raise LibraryError(f"A rating is 0 (none) to {MAX_RATING}; got {rating!r:.40}.")
    return rating


_CHECKED: Mapping[str, Callable[[Any], Any]] = {
    "name": lambda text: _checked_text(text, MAX_NAME, "A name", empty=False),
    "rating": _checked_rating,
    "notes": lambda text: _checked_text(text, MAX_NOTES, "Notes"),
    "tags": _checked_tags,
}
"""What a DJ says of a beat, each with what makes sure of a value."""


# -- crate files ---------------------------------------------------------------------------------


def _values_of_file(content: bytes) -> list[Any]:
    """The beats of a crate file, none of them checked yet. Raises LibraryError."""
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
    if not isinstance(beats, list) or len(beats) > LIMITS.crate_beats:
        raise LibraryError(
            f"A crate file lists up to {LIMITS.crate_beats:,} beats; this one does not."
        )
    return beats


def _entry_of_file(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LibraryError("it is not written as names and values.")
    tags = value.get("tags", [])
    if not isinstance(tags, list):
        raise LibraryError("its tags are no list.")
    entry = _entry(
        beat_from_json(value.get("beat")),
        _checked_text(value.get("name"), MAX_NAME, "A name", empty=False),
        tags,
        value.get("rating", 0),
        value.get("notes", ""),
        sound_from_json(value.get("sound", {})),  # crates were exported before they kept sounds
        was_json=True,
    )
    id, created = value.get("id"), value.get("created")
    if not isinstance(id, str) or len(id) != 32 or not set(id) <= set("0123456789abcdef"):
        raise LibraryError("its id is not one of ours.")
    if (
        isinstance(created, bool)
        or not isinstance(created, (int, float))
        or not 0 <= created <= 4e9  # up to the year 2096
    ):
        raise LibraryError("the time it was kept is missing.")
    return {**entry, "id": id, "created": float(created)}
