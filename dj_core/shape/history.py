"""Every take of a session, kept as it is made: nothing is lost on a reload.

A session is a folder in the DJ's own; a take is one JSON file in it, written whole or not at all,
and what was done to it by hand another one. A damaged file costs one take, not the session.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dj_core.beat import Beat
from dj_core.beat_json import beat_from_json, beat_to_json
from dj_core.errors import DigitalDJError, LibraryError
from dj_core.limits import LIMITS
from dj_core.storage import write_json_atomic

FORMAT = 1
MOST_SESSIONS = LIMITS.sessions_kept  # older ones make room
_ID = re.compile(r"[a-z0-9]{16}")
_TAKE = re.compile(r"(\d{6})\.json")
_EDIT = "{:06}-edit.json"
_LAID_OUT = "laid-out.json"


@dataclass(frozen=True)
class PastTake:
    """One take of a session.

    Attributes:
        number: counts from 1 in the order they were made.
        beat: the music, to the bit.
        settings: the controls that made it, JSON-able.
        made_at: seconds since 1970.
        how: what was done, in a word: 'generate', 'vary', ...
        notes: as in `sampling.Take`.
        edit: what was done to it by hand since, JSON-able, as the deck describes it; or None.
    """

    number: int
    beat: Beat
    settings: Mapping[str, Any]
    made_at: float
    how: str
    notes: tuple[str, ...] = ()
    edit: Mapping[str, Any] | None = None


def new_session_id() -> str:
    """An id nobody can guess: whoever knows it sees the session's takes."""
    return secrets.token_hex(8)


class History:
    """The takes of one session."""

    def __init__(self, home: Path, session: str) -> None:
        """Open the session `session` in the DJ's folder. Raises LibraryError for an odd id."""
        if not _ID.fullmatch(session):
            raise LibraryError(
                f"{session!r} is no session. Open the page without it and start another."
            )
        self.folder = home / "sessions" / session

    def add(
        self,
        beat: Beat,
        settings: Mapping[str, Any],
        how: str = "generate",
        notes: Sequence[str] = (),
    ) -> PastTake:
        """Keep a take. Raises LibraryError where the folder cannot be written."""
        number = max(self._numbers(), default=0) + 1
        take = PastTake(number, beat, dict(settings), time.time(), how, tuple(notes))
        if number == 1:
            _make_room(self.folder.parent)
        write_json_atomic(
            self.folder / f"{number:06}.json",
            {
                "format": FORMAT,
                "number": number,
                "how": how,
                "made_at": take.made_at,
                "settings": dict(settings),
                "notes": list(notes),
                "beat": beat_to_json(beat),
            },
        )
        return take

    def note_edit(self, number: int, edit: Mapping[str, Any] | None) -> None:
        """Keep what was done by hand to a take, or that it was undone (None).

        Raises LibraryError where there is no such take, or the folder cannot be written.
        """
        if number not in self._numbers():
            raise LibraryError(f"Take {number} of this session cannot be found any more.")
        write_json_atomic(self.folder / _EDIT.format(number), {"format": FORMAT, "edit": edit})

    def lay_out(self, tool: str, beats: Sequence[tuple[str, Beat]]) -> None:
        """Keep beats that `tool` laid side by side to be chosen from, each with its label.

        Raises LibraryError where the folder cannot be written.
        """
        laid = [{"label": label, "beat": beat_to_json(beat)} for label, beat in beats]
        content = {"format": FORMAT, "tool": tool, "beats": laid}
        write_json_atomic(self.folder / _LAID_OUT, content)

    def laid_out(self) -> tuple[str, tuple[tuple[str, Beat], ...]]:
        """What `lay_out` kept last: tool and beats; '' and none where that cannot be read."""
        try:
            content = json.loads((self.folder / _LAID_OUT).read_text("utf-8"))
            laid = content["beats"]
            beats = tuple((str(one["label"]), beat_from_json(one["beat"])) for one in laid)
            return str(content["tool"]), beats
        except (OSError, ValueError, KeyError, TypeError, DigitalDJError):
            return "", ()

    def takes(self) -> tuple[PastTake, ...]:
        """Every take that can be read, oldest first."""
        found = (self._read(number) for number in sorted(self._numbers()))
        return tuple(take for take in found if take is not None)

    def take(self, number: int) -> PastTake:
        """The take of this number. Raises LibraryError where there is none."""
        take = self._read(number)
        if take is None:
            raise LibraryError(f"Take {number} of this session cannot be found any more.")
        return take

    def _numbers(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        names = (_TAKE.fullmatch(path.name) for path in self.folder.iterdir())
        return [int(name[1]) for name in names if name]

    def _read(self, number: int) -> PastTake | None:
        try:
            content = json.loads((self.folder / f"{number:06}.json").read_text("utf-8"))
            return PastTake(
                number,
                beat_from_json(content["beat"]),
                dict(content["settings"]),
                float(content["made_at"]),
                str(content["how"]),
                tuple(map(str, content["notes"])),
                self._edit(number),
            )
        except (OSError, ValueError, KeyError, TypeError, DigitalDJError):
            return None

    def _edit(self, number: int) -> dict[str, Any] | None:
        try:
            edit = json.loads((self.folder / _EDIT.format(number)).read_text("utf-8"))["edit"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return edit if isinstance(edit, dict) else None


def _make_room(sessions: Path) -> None:
    """Forget the sessions nobody has added to for longest, so that the folder stays small."""
    if not sessions.is_dir():
        return
    folders = sorted(
        (path for path in sessions.iterdir() if path.is_dir() and _ID.fullmatch(path.name)),
        key=lambda path: path.stat().st_mtime,
    )
    for folder in folders[: max(len(folders) - MOST_SESSIONS + 1, 0)]:
        shutil.rmtree(folder, ignore_errors=True)
