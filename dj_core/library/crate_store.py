"""The crate's SQLite file: opening, checking, and rescue when it is damaged.

SQLite keeps the promises: a write that was acknowledged is on disk (WAL, synchronous FULL), a
write that was cut off never happened, and several processes take turns. What is ours is the
schema's version, counted in `PRAGMA user_version`, and what happens to a file that is no longer
a database: it is renamed, never deleted, and every beat that can still be read is brought over.

Where nothing may be written (read-only mode) or nothing can be (a full disk), the crate is read
without a trace: no file is made, renamed or changed.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dj_core.errors import LibraryError
from dj_core.files.storage import one_at_a_time, sha256_of
from dj_core.host.read_only import check_may_change, read_only

APPLICATION_ID = 0x444A4352  # "DJCR" in the file's header says whose it is
WAIT_SECONDS = 20.0  # for another process that writes; a kept beat takes milliseconds
FULL_BYTES = 1_000_000  # a disk with less than this is called full when SQLite cannot write


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE beats (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            key TEXT NOT NULL,
            name TEXT NOT NULL,
            genre TEXT NOT NULL,
            tempo_bpm REAL,
            bars INTEGER NOT NULL,
            meter TEXT NOT NULL,
            hits INTEGER NOT NULL,
            model TEXT,
            seed INTEGER,
            rating INTEGER NOT NULL CHECK (rating BETWEEN 0 AND 5),
            notes TEXT NOT NULL,
            created REAL NOT NULL,
            beat TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX beats_by_key ON beats (key)",
        """CREATE TABLE tags (
            beat INTEGER NOT NULL REFERENCES beats (number) ON DELETE CASCADE,
            tag TEXT NOT NULL,
            PRIMARY KEY (beat, tag)
        ) STRICT, WITHOUT ROWID""",
    ),
    ("ALTER TABLE beats ADD COLUMN deleted REAL",),
    # `deleted` stands behind the beat's long text: to look at it row by row reads the whole file
    ("CREATE INDEX beats_deleted ON beats (deleted) WHERE deleted IS NOT NULL",),
    # what a beat is heard with, as JSON; it stands behind the long text, too
    ("ALTER TABLE beats ADD COLUMN sound TEXT",),
)
"""Step n brings a crate of version n to version n + 1; never change one that was released."""

SCHEMA_VERSION = len(MIGRATIONS)


class CrateFile:
    """The database file at `path`. Nothing is held open between two uses."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A look at the crate as it is at one moment. Raises LibraryError."""
        with (
            self._in_our_words(),
            contextlib.closing(self._connection_to_read()) as connection,
            _transaction(connection, "BEGIN"),
        ):
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All changes made inside, or none of them; on disk afterwards. Raises LibraryError."""
        check_may_change("the crate")
        with self._in_our_words(), contextlib.closing(self._connect()) as connection:
            _bring_up_to_date(connection, self.path)
            with _transaction(connection, "BEGIN IMMEDIATE"):
                yield connection

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = _opened(str(self.path))
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _connection_to_read(self) -> sqlite3.Connection:
        if read_only():
            return self._look()
        connection = None
        try:
            connection = self._connect()
            _bring_up_to_date(connection, self.path)
            return connection
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            if _primary_code(error) not in _UNWRITABLE or not self.path.exists():
                raise
            return self._look()  # SQLite makes files beside a crate even to read it

    def _look(self) -> sqlite3.Connection:
        """The crate, without making or changing a file; an empty or older one in memory."""
        memory = _opened(":memory:")
        if self.path.exists():
            log = self.path.with_name(self.path.name + "-wal")
            # what is only in the log so far needs SQLite's usual locks; else nothing does
            mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
            connection = _opened(f"{self.path.absolute().as_uri()}?{mode}", uri=True)
            try:
                if _version(connection, self.path) == SCHEMA_VERSION:
                    return connection
                connection.backup(memory)
            except BaseException:
                connection.close()
                raise
            connection.close()
        _bring_up_to_date(memory, self.path)
        return memory

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Failures in a DJ's words; a damaged file has been put aside when they are told."""
        try:
            yield
        except OSError as error:
            raise _unwritable(self.path, error.strerror or str(error)) from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not _is_damage(error):
                if _primary_code(error) == sqlite3.SQLITE_BUSY:
                    raise LibraryError(
                        "Another Digital DJ is busy with the crate. Try again in a moment."
                    ) from error
                raise _unwritable(self.path, self._why(error)) from error
            if read_only():
                raise LibraryError(
                    "The crate is damaged. This Digital DJ is read only, so it is left as it is: "
                    "its host can open it where changes are allowed, which saves what can be read."
                ) from error
            try:
                rescue = self._put_aside()
            except (sqlite3.Error, UnicodeDecodeError, OSError) as trouble:
                raise LibraryError(
                    f"The crate {self.path} is damaged, and a new one cannot be made beside it: "
                    f"{self._why(trouble)}. Nothing in it was changed; free some space, or move "
                    "the file away."
                ) from error
            if rescue is None:
                raise LibraryError("The crate could not be read just now. Try again.") from error
            aside, beats = rescue
            raise LibraryError(
                f"The crate was damaged. {beats:,} of its beats were brought over into a new one; "
                f"the damaged file is kept as {aside.name} in {aside.parent}. Try again."
            ) from error

    def _why(self, error: Exception) -> str:
        """What keeps SQLite from writing; a full disk has several names with it."""
        code = _primary_code(error)
        with contextlib.suppress(OSError):
            is_full = shutil.disk_usage(self.path.parent).free < FULL_BYTES
            if code == sqlite3.SQLITE_FULL or (is_full and code in (0, *_UNWRITABLE)):
                return "the disk is full"
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return "it may not be written there"
        return str(error)

    def _put_aside(self) -> tuple[Path, int] | None:
        """Rename a damaged file and start a new one; None when it is not damaged after all.

        Of several processes that notice, one does it: the others find a sound file. Returns where
        the damaged file is now, and how many beats were brought over.
        """
        with one_at_a_time(self.path.with_suffix(".lock")):
            if not is_damaged(self.path):
                return None
            # crate-damaged-20261105-193000.db beside it
            stem = f"{self.path.stem}-damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}"
            stems = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
            names = (self.path.with_name(f"{stem}{self.path.suffix}") for stem in stems)
            aside = next(path for path in names if not path.exists())
            rescued = CrateFile(aside.with_name(f"{aside.stem}-rescued{aside.suffix}"))
            try:  # whole before the damaged file gives way: a disk may be full
                with rescued.writing() as fresh:
                    beats = _bring_over(self.path, fresh)
            except BaseException:
                for part in rescued.parts():
                    part.unlink(missing_ok=True)
                raise
            for part in self.parts():
                part.rename(aside.with_name(part.name.replace(self.path.name, aside.name)))
            for part in rescued.parts():
                part.rename(part.with_name(part.name.replace(rescued.path.name, self.path.name)))
            return aside, beats

    def parts(self) -> list[Path]:
        """The files that SQLite keeps the crate in, those that are there."""
        names = (self.path.name + ending for ending in ("", "-wal", "-shm"))
        return [part for name in names if (part := self.path.with_name(name)).exists()]


def is_damaged(path: Path) -> bool:
    """Whether the file at `path` is no sound database."""
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as connection:
            (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            return bool(answer != "ok")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return _is_damage(error)


def _opened(address: str, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(address, timeout=WAIT_SECONDS, isolation_level=None, uri=uri)
    connection.row_factory = sqlite3.Row
    # a text with a damaged byte costs a letter, not the list it stands in
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


# -- versions ------------------------------------------------------------------------------------


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Create the schema, or take an older one step by step to today's, in one transaction.

    Raises LibraryError for a crate of a newer version, or a database of something else.
    """
    with _transaction(connection, "BEGIN"):  # as it is at one moment: others may be creating it
        version = _version(connection, path)
    if version == SCHEMA_VERSION:
        return
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # SQLite does not wait for others here, so we do
    with _transaction(connection, "BEGIN IMMEDIATE"):
        # another process may have done it meanwhile
        for statement in itertools.chain(*MIGRATIONS[_version(connection, path) :]):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (version or tables):
        raise LibraryError(
            f"{path.name} in {path.parent} is a database of another program. Move it away; "
            "Digital DJ leaves it as it is."
        )
    if version > SCHEMA_VERSION:
        raise LibraryError(
            f"This crate was written by a newer Digital DJ (version {version}; this one knows "
            f"{SCHEMA_VERSION}). Update Digital DJ; the crate is left as it is."
        )
    return version


# -- failures ------------------------------------------------------------------------------------

_UNWRITABLE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has already rolled back
            connection.execute("ROLLBACK")
        raise


def _primary_code(error: Exception) -> int:
    """SQLite's result code without its details; 0 for what Python itself found wrong."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: Exception) -> bool:
    """Also where SQLite's message quotes the damaged bytes, which then are no text."""
    damage = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, UnicodeDecodeError) or _primary_code(error) in damage


def _unwritable(path: Path, why: str) -> LibraryError:
    return LibraryError(
        f"The crate in {path.parent} cannot be used: {why}. Free some space, or set "
        "DIGITAL_DJ_HOME to a folder you own. What was kept before is untouched."
    )


# -- rescue --------------------------------------------------------------------------------------


def _bring_over(damaged: Path, fresh: sqlite3.Connection) -> int:
    """Copy what can still be read from both ends of a damaged file; returns how many beats.

    A beat whose JSON is not the one its key was made of is left behind.
    """
    taken = 0
    columns = [row["name"] for row in fresh.execute("PRAGMA table_info(beats)")]
    with (
        contextlib.suppress(sqlite3.Error, UnicodeDecodeError),
        contextlib.closing(_opened(str(damaged))) as old,
    ):
        for order in ("", "DESC"):
            for row in _readable(old, f"SELECT * FROM beats ORDER BY number {order}"):
                known = [name for name in columns if name in row.keys()]  # noqa: SIM118 - a Row
                names, marks = ", ".join(known), ", ".join("?" * len(known))
                with contextlib.suppress(sqlite3.Error, AttributeError, IndexError, UnicodeError):
                    if sha256_of(row["beat"].encode()) == row["key"]:
                        insert = f"INSERT OR IGNORE INTO beats ({names}) VALUES ({marks})"
                        taken += fresh.execute(insert, [row[name] for name in known]).rowcount
        for row in _readable(old, "SELECT beat, tag FROM tags"):
            with contextlib.suppress(sqlite3.Error):  # of a beat that is lost
                fresh.execute("INSERT OR IGNORE INTO tags VALUES (?, ?)", tuple(row))
    return taken


def _readable(connection: sqlite3.Connection, query: str) -> Iterator[sqlite3.Row]:
    """The rows of a query up to the first that cannot be read."""
    try:
        yield from connection.execute(query)
    except (sqlite3.Error, UnicodeDecodeError):
        return
