"""The judgements of one browser's listeners: a file in the DJ's folder, and CSV of it.

    judgements = JudgementFile(home, session)
    judgements.add([Judgement(...)])
    judgements.delete("Ada")  # what is deleted is gone from the disk

All tabs and servers may add to one file. It is written whole or not at all, and one entry that
cannot be read costs no other.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from dj_core.blind_test.judging import Judgement
from dj_core.errors import LibraryError, not_saved
from dj_core.files.file_names import one_line
from dj_core.files.records import read_json, record_of
from dj_core.files.storage import one_at_a_time, write_json_atomic
from dj_core.host.limits import LIMITS
from dj_core.host.read_only import check_may_change

FOLDER = "blind-tests"  # in the DJ's own
MOST_JUDGEMENTS = 20_000  # of one browser; about 8 MB
MOST_NAME = 32  # characters of a listener's name
_ID = re.compile(r"[0-9a-f]{32}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


class JudgementFile:
    """What the listeners at one browser judged."""

    def __init__(self, home: Path, session: str) -> None:
        """The file of a session in the DJ's folder. Raises LibraryError for an odd id."""
        if not _ID.fullmatch(session):
            raise LibraryError(f"{session[:40]!r} is no session. Open the page anew.")
        self.path = home / FOLDER / f"{session}.json"

    def all(self) -> tuple[Judgement, ...]:
        """Every judgement that can be read, in the order they were made."""
        found: list[Judgement] = []
        with contextlib.suppress(OSError, ValueError):
            kept = read_json(self.path)
            for one in kept if isinstance(kept, list) else ():
                with contextlib.suppress(ValueError):
                    found.append(record_of(Judgement, one))
        return tuple(found)

    def add(self, given: Iterable[Judgement]) -> None:
        """Keep judgements; of several about one pair of a test by one listener, the first counts.

        Raises LibraryError where nothing may be changed, cannot be written, or too many are kept.
        """

        def added(kept: Sequence[Judgement]) -> list[Judgement]:
            known = {(one.listener, one.test, one.pair) for one in kept}
            more = [one for one in given if (one.listener, one.test, one.pair) not in known]
            if len(kept) + len(more) > MOST_JUDGEMENTS:
                raise LibraryError(
                    f"{MOST_JUDGEMENTS:,} judgements are kept here, and no more. Take them away as "
                    "CSV and delete a listener's."
                )
            return [*kept, *more]

        self._change(added)

    def delete(self, listener: str | None = None) -> None:
        """Delete a listener's judgements, or everybody's (None). Raises LibraryError as `add`."""
        self._change(lambda kept: [one for one in kept if listener not in (None, one.listener)])

    def _change(self, change: Callable[[Sequence[Judgement]], list[Judgement]]) -> None:
        check_may_change("its blind tests")
        with one_at_a_time(self.path.parent / ".lock"):
            now = change(self.all())
            try:
                if not now:
                    self.path.unlink(missing_ok=True)
                    return
                if not self.path.exists():
                    self._make_room()
            except OSError as error:
                raise not_saved("The judgements could not be kept", error) from error
            write_json_atomic(self.path, [asdict(one) for one in now])

    def _make_room(self) -> None:
        """Of more browsers than sessions are kept for, forget the one unused for longest."""
        others = sorted(self.path.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in others[: max(0, len(others) + 1 - LIMITS.sessions_kept)]:
            path.unlink(missing_ok=True)


def listener_name(text: str, usual: str) -> str:
    """A name as it is kept: one line of up to 32 characters; `usual` where nothing is left."""
    return one_line(text)[:MOST_NAME].strip() or usual


def judgements_csv(judgements: Iterable[Judgement]) -> str:
    """One row per judgement, under the names of `Judgement`'s fields, and whether it was right.

    No cell begins as a formula does: such text is quoted for spreadsheets with an apostrophe.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*(field.name for field in fields(Judgement)), "right"])
    for one in judgements:
        cells = [*asdict(one).values(), int(one.right)]
        writer.writerow(
            f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
            for cell in cells
        )
    return file.getvalue()
