"""The history of a session: every take, stored when it is made, so a reload loses nothing.

A session is a folder in the DJ's own; a take is one JSON file in it, written whole or not at all,
and what was done to it by hand another one. A damaged file costs one take, not the session. Any
number of tabs and processes may add to one session: a number is reserved before it is written to.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dj_core.errors import DigitalDJError, LibraryError
from dj_core.files.beat_json import beat_from_json, beat_to_json, canonical_json, parse_json
from dj_core.files.storage import remove_own_files, write_bytes_atomic
from dj_core.host.limits import LIMITS
from dj_core.music.beat import Beat
from dj_core.sound.beat_sound import (
    USUAL_SOUND,
    BeatSound,
    sound_from_json,
    sound_to_json,
)

FORMAT = 1
SESSIONS = "sessions"  # the folder of all of them, in the DJ's own
MOST_SESSIONS = LIMITS.sessions_kept
MOST_TAKES = LIMITS.takes_kept  # of one session; the oldest make room
SECONDS_IN_USE = 24 * 3600.0  # a session that was used so lately is never forgotten
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, OverflowError, DigitalDJError)
_ID = re.compile(r"[0-9a-f]{32}")
_TAKE = re.compile(r"(\d{6})\.json")
_EDIT = "{:06}-edit.json"
_LAID_OUT = "laid-out.json"
_PLACE = "place-{}.json"
_TAB = re.compile(r"[0-9a-f]{8}")
_OWN = re.compile(r"\d{6}(-edit)?\.json|laid-out\.json|place-[0-9a-f]{8}\.json")
MOST_PLACES = 32  # tabs of which is known what they showed


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
        sound: what it was heard with last.
    """

    number: int
    beat: Beat
    settings: Mapping[str, Any]
    made_at: float
    how: str
    notes: tuple[str, ...] = ()
    edit: Mapping[str, Any] | None = None
    sound: BeatSound = USUAL_SOUND


def new_session_id() -> str:
    """128 random bits: an id nobody can guess."""
    return secrets.token_hex(16)


class History:
    """The takes of one session. What cannot be read is left out of them."""

    def __init__(self, home: Path, session: str) -> None:
        """Open the session `session` in the DJ's folder. Raises LibraryError for an odd id."""
        if not _ID.fullmatch(session):
            raise LibraryError(f"{session[:40]!r} is no session. Open the page anew.")
        self.folder = home / SESSIONS / session

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept in it."""
        return self.folder.is_dir()

    # -- keeping -----------------------------------------------------------------------------------

    def reserve(self, after: int = 0) -> int:
        """A number above `after` and all others, which nobody else will be given.

        Raises LibraryError where the folder cannot be written, or no session can be made now.
        """
        try:
            if not self.exists:
                _make_room(self.folder.parent)
                self.folder.mkdir(parents=True, exist_ok=True)
            numbers = self.numbers()
            for number in itertools.count(max((after, *numbers)) + 1):
                with contextlib.suppress(FileExistsError):
                    self._take_path(number).touch(exist_ok=False)
                    break
            for old in numbers[: len(numbers) + 1 - MOST_TAKES]:
                self._take_path(old).unlink(missing_ok=True)
                (self.folder / _EDIT.format(old)).unlink(missing_ok=True)
        except OSError as error:
            raise LibraryError(
                f"Takes cannot be kept for a reload: {error.strerror or error}. Free some space, "
                "or keep what you like in the crate."
            ) from error
        return number

    def write(
        self,
        number: int,
        beat: Beat,
        settings: Mapping[str, Any],
        how: str = "generate",
        notes: Sequence[str] = (),
        sound: BeatSound = USUAL_SOUND,
    ) -> PastTake:
        """Keep a take under a number from `reserve`. Raises LibraryError."""
        take = PastTake(number, beat, dict(settings), time.time(), how, tuple(notes), sound=sound)
        told = {"how": how, "made_at": take.made_at, "settings": take.settings, "notes": notes}
        told["sound"] = sound_to_json(sound)
        self._write(self._take_path(number), {**told, "beat": beat_to_json(beat)})
        return take

    def note_edit(
        self, number: int, edit: Mapping[str, Any] | None, sound: BeatSound = USUAL_SOUND
    ) -> None:
        """Keep what was done by hand to a take, or that it was undone (None), and its sound now.

        Raises LibraryError where there is no such take, or the folder cannot be written.
        """
        if number not in self.numbers():
            raise _gone(number)
        content = {"edit": edit, "sound": sound_to_json(sound)}
        self._write(self.folder / _EDIT.format(number), content)

    def lay_out(self, tool: str, beats: Sequence[tuple[str, Beat]]) -> None:
        """Keep beats that `tool` laid side by side to be chosen from, each with its label.

        Raises LibraryError where the folder cannot be written.
        """
        laid = [{"label": label, "beat": beat_to_json(beat)} for label, beat in beats]
        self._write(self.folder / _LAID_OUT, {"tool": tool, "beats": laid})

    def note_place(self, tab: str, settings: Mapping[str, Any], number: int) -> None:
        """Keep which take a tab (8 hexadecimal digits) shows beside which settings.

        Raises LibraryError where the folder cannot be written.
        """
        if not _TAB.fullmatch(tab):
            raise LibraryError(f"{tab[:40]!r} is no tab.")
        content = {"settings": dict(settings), "take": number}
        self._write(self.folder / _PLACE.format(tab), content)
        for old in self._places()[MOST_PLACES:]:
            old.unlink(missing_ok=True)

    def take_shown_beside(self, settings: Mapping[str, Any]) -> int | None:
        """The take that a tab showed beside these settings, of several the one shown last."""
        for path in self._places():
            with contextlib.suppress(*_UNREADABLE):
                content = parse_json(path.read_bytes())
                if content["settings"] == settings and content["take"] in self.numbers():
                    number: int = content["take"]
                    return number
        return None

    def used_now(self) -> None:
        """Note that the session is in use, by which it outlives others."""
        with contextlib.suppress(OSError):
            self.folder.touch()

    # -- looking -----------------------------------------------------------------------------------

    def laid_out(self) -> tuple[str, tuple[tuple[str, Beat], ...]]:
        """What `lay_out` kept last: tool and beats; '' and none where that cannot be read."""
        with contextlib.suppress(*_UNREADABLE):
            content = parse_json((self.folder / _LAID_OUT).read_bytes())
            laid = content["beats"]
            beats = tuple((str(one["label"]), beat_from_json(one["beat"])) for one in laid)
            return str(content["tool"]), beats
        return "", ()

    def takes(self, latest: int | None = None) -> tuple[PastTake, ...]:
        """Every take that can be read, or the `latest` so many of them; oldest first."""
        found: list[PastTake] = []
        for number in reversed(self.numbers()):
            if len(found) == latest:
                break
            if (take := self._read(number)) is not None:
                found.append(take)
        return tuple(reversed(found))

    def take(self, number: int) -> PastTake:
        """The take of this number. Raises LibraryError where there is none."""
        take = self._read(number)
        if take is None:
            raise _gone(number)
        return take

    def numbers(self) -> list[int]:
        """The numbers that were given, in order; a take may still be on its way to disk."""
        try:
            names = [_TAKE.fullmatch(path.name) for path in self.folder.iterdir()]
        except OSError:
            return []
        return sorted(int(name[1]) for name in names if name)

    # ----------------------------------------------------------------------------------------------

    def _places(self) -> list[Path]:
        """The files of the tabs, the latest first."""
        dated: list[tuple[float, Path]] = []
        with contextlib.suppress(OSError):
            for path in self.folder.glob(_PLACE.format("*")):
                dated.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(dated, reverse=True)]

    def _take_path(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        write_bytes_atomic(path, canonical_json({"format": FORMAT, **content}).encode())

    def _read(self, number: int) -> PastTake | None:
        edit: object = None
        sound = None
        with contextlib.suppress(*_UNREADABLE):
            noted = parse_json((self.folder / _EDIT.format(number)).read_bytes())
            edit = noted["edit"]
            sound = sound_from_json(noted["sound"])
        with contextlib.suppress(*_UNREADABLE):
            content = parse_json(self._take_path(number).read_bytes())
            made_at = content["made_at"]
            # seconds since 1970 that a clock can show
            if type(made_at) not in (int, float) or not 0 <= made_at < 2**36:
                return None
            if sound is None:
                with contextlib.suppress(*_UNREADABLE):
                    sound = sound_from_json(content["sound"])
            return PastTake(
                number,
                beat_from_json(content["beat"]),
                dict(content["settings"]),
                float(made_at),
                str(content["how"]),
                tuple(map(str, content["notes"])),
                edit if isinstance(edit, dict) else None,
                sound or USUAL_SOUND,
            )
        return None


def _gone(number: int) -> LibraryError:
    return LibraryError(f"Take {number} of this session cannot be found any more.")


def _make_room(sessions: Path) -> None:
    """Forget sessions beyond those that are kept: of one take first, then the longest unused.

    What was used within a day stays, whatever comes; then there is no room for another.
    Raises OSError, and LibraryError where there is no room.
    """
    found: list[tuple[bool, float, Path]] = []
    folders = list(sessions.iterdir()) if sessions.is_dir() else []
    for folder in folders:
        if _ID.fullmatch(folder.name) and not folder.is_symlink():
            # another process may have forgotten it
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                takes = sum(_TAKE.fullmatch(path.name) is not None for path in folder.iterdir())
                found.append((takes > 1, folder.stat().st_mtime, folder))
    too_many = len(found) - MOST_SESSIONS + 1
    if too_many <= 0:
        return
    unused = [one for one in found if time.time() - one[1] > SECONDS_IN_USE]
    if len(unused) < too_many:
        raise LibraryError(
            f"{len(found):,} DJs have played here within a day, and no more takes are kept for a "
            "reload. Keep what you like in the crate, or come again tomorrow."
        )
    for _, _, folder in sorted(unused)[:too_many]:
        remove_own_files(folder, _OWN)
