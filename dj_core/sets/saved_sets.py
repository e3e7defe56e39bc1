"""Saved sets: one self-contained JSON file each, in the DJ's folder `sets/`.

A set holds its beats, not their names in the crate: it plays as it was saved whatever becomes of
the crate. Several visitors may have one set open: a change says which version of the file it was
made to (`KeptSet.version`, a hash of its bytes), and what somebody else saved since then stays.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dj_core.errors import BeatError, SetChangedError, SetError, SoundError
from dj_core.files.beat_json import beat_from_json, beat_to_json, parse_json, shown
from dj_core.files.file_names import safe_stem
from dj_core.files.storage import one_at_a_time, sha256_of, write_bytes_atomic
from dj_core.host.read_only import check_may_change
from dj_core.sets.set_plan import MAX_BEATS, Entry, SetList, SetSettings, plan_set
from dj_core.sound.beat_sound import sound_from_json, sound_to_json

FORMAT, VERSION = "digital-dj-set", 1
SUFFIX = ".set.json"
LARGEST_FILE_BYTES = 20_000_000  # 99 beats of four bars and their fills are a tenth of it
MOST_GENRES, MOST_FILLS = 99, 16
_LOCK = ".lock"


@dataclasses.dataclass(frozen=True)
class SavedSet:
    """A set on disk that was not opened.

    Attributes:
        name: what it is called.
        path: its file.
    """

    name: str
    path: Path


@dataclasses.dataclass(frozen=True)
class KeptSet:
    """A set as its file holds it.

    Attributes:
        planned: the set.
        path: its file.
        version: SHA-256 of the file's bytes.
    """

    planned: SetList
    path: Path
    version: str


def save_set(planned: SetList, path: Path) -> Path:
    """Write the set to `path`, whatever is there, completely or not at all.

    Raises:
        SetError: more than one file takes.
        LibraryError: no space or permission, or read-only mode.
    """
    check_may_change("its sets")
    return write_bytes_atomic(path, _content(planned))


def keep_set(planned: SetList, path: Path, before: KeptSet | None = None) -> KeptSet:
    """Save a set that was changed; under another name, its file is renamed.

    Args:
        planned: the set with the change.
        path: its file from now on.
        before: the set as it was opened or saved last; None for a set that has no file yet.

    Returns:
        The set as it is on disk now: with what somebody else changed meanwhile in other places.

    Raises:
        SetError: another set has that name, or it is more than one file takes.
        SetChangedError: somebody else changed the same, or renamed or removed the set; nothing was
            written.
        LibraryError: no space or permission, or read-only mode.
    """
    check_may_change("its sets")
    with one_at_a_time(path.parent / _LOCK):
        if before is not None:
            planned = _merged(before, planned)
        if (before is None or before.path != path) and path.exists():
            raise SetError(
                f"There is a set called {planned.settings.name!r} already. Choose another name."
            )
        content = _content(planned)
        write_bytes_atomic(path, content)
        if before is not None and before.path != path:
            before.path.unlink(missing_ok=True)
    return KeptSet(planned, path, sha256_of(content))


def load_set(path: Path) -> SetList:
    """The set in a file. Raises SetError when it is missing, damaged or not a set."""
    return open_set(path).planned


def open_set(path: Path) -> KeptSet:
    """The set in a file, to change it. Raises SetError when it is missing, damaged or no set."""
    content = _read(path)
    try:
        return KeptSet(set_from_json(parse_json(content)), path, sha256_of(content))
    except (BeatError, MemoryError) as error:
        raise SetError(f"{path.name} is damaged: it is not the file of a set.") from error


def saved_sets(folder: Path) -> tuple[SavedSet, ...]:
    """The sets in a folder, the one saved last first; files are not opened.

    What is no file (a folder, a link to nothing) is left out.
    """
    found = []
    for path in folder.glob(f"*{SUFFIX}") if folder.is_dir() else ():
        try:
            if path.is_file():
                found.append((-path.stat().st_mtime, path.name, path))
        except OSError:
            continue  # gone since, or on a disk that does not answer: the others are shown
    return tuple(SavedSet(name.removesuffix(SUFFIX), path) for _, name, path in sorted(found))


def set_path(folder: Path, name: str) -> Path:
    """Where the set called `name` is kept in `folder`."""
    return folder / f"{safe_stem(name)}{SUFFIX}"


def set_to_json(planned: SetList) -> dict[str, Any]:
    """The set as JSON values; `set_from_json` gives it back as it was."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "settings": {
            **dataclasses.asdict(planned.settings),
            "genres": list(planned.settings.genres),
        },
        "entries": [
            {
                "beat": beat_to_json(entry.own_beat),
                "count": entry.count,
                "phrases": entry.phrases,
                "tempo_bpm": entry.tempo_bpm,
                "fills": [beat_to_json(fill) for fill in entry.fills],
                "roles": [beat_to_json(phrase) for phrase in entry.roles],
                "sound": sound_to_json(entry.sound),
            }
            for entry in planned.entries
        ],
    }


def set_from_json(value: object) -> SetList:
    """The set that `set_to_json` wrote. Raises SetError about anything else."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise SetError("This file is not a set of Digital DJ.")
    if value.get("version") != VERSION:
        raise SetError(
            f"This set was saved by another version of Digital DJ (format "
            f"{shown(value.get('version'))}; this one reads {VERSION})."
        )
    entries = value.get("entries")
    if not isinstance(entries, list) or len(entries) > MAX_BEATS:
        raise SetError(f"A saved set holds a list of up to {MAX_BEATS} beats.")
    try:
        settings = _settings(value.get("settings"))
        return plan_set([_entry(entry) for entry in entries], settings)
    except (
        BeatError,
        SoundError,
        TypeError,
        KeyError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise SetError(f"This set is damaged: {error}") from error


def _content(planned: SetList) -> bytes:
    """The set's file. Raises SetError where it would be more than can be opened again."""
    text = json.dumps(set_to_json(planned), indent=1, sort_keys=True, allow_nan=False)
    if len(text) >= LARGEST_FILE_BYTES:
        raise SetError(
            "The beats of this set are too long to be kept in one file. Take some of the longest "
            "out."
        )
    return (text + "\n").encode()


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise SetError(f"{path.name} is not the file of a set.")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SetError(f"{path.name} is too large to be a set.")
        return path.read_bytes()
    except OSError as error:
        raise SetError(f"The set {path.name} could not be opened: {error.strerror}.") from error


def _merged(before: KeptSet, mine: SetList) -> SetList:
    """`mine` with what somebody else saved since `before`. Raises SetChangedError, SetError."""
    try:
        content = before.path.read_bytes()
    except FileNotFoundError:
        raise SetChangedError(
            f"Somebody else renamed or removed the set {before.planned.settings.name!r} meanwhile. "
            "What you see is not saved; give it another name to keep it."
        ) from None
    except OSError as error:
        raise SetError(f"{before.path.name} could not be read: {error.strerror}.") from error
    if sha256_of(content) == before.version:
        return mine
    base, theirs = before.planned, open_set(before.path).planned
    names = [field.name for field in dataclasses.fields(SetSettings)]
    settings = SetSettings(
        **{
            name: _either(*(getattr(one.settings, name) for one in (base, mine, theirs)))
            for name in names
        }
    )
    return plan_set(_either_entries(base.entries, mine.entries, theirs.entries), settings)


def _either_entries(
    base: tuple[Entry, ...], mine: tuple[Entry, ...], theirs: tuple[Entry, ...]
) -> Sequence[Entry]:
    """The entries with both changes: of one of them alone, or of both in different places."""
    if mine in (base, theirs):
        return theirs
    if theirs == base:
        return mine
    if not len(base) == len(mine) == len(theirs):
        raise _conflict()
    return [_either(*places) for places in zip(base, mine, theirs, strict=True)]


def _either(base: Any, mine: Any, theirs: Any) -> Any:  # noqa: ANN401 - a setting or an Entry
    """The value that was changed, if only one was."""
    if mine in (base, theirs):
        return theirs
    if theirs == base:
        return mine
    raise _conflict()


def _conflict() -> SetChangedError:
    return SetChangedError(
        "Somebody else changed this set at the same time, so your last change was not made. You "
        "see the set as it is now; make your change again."
    )


def _settings(value: object) -> SetSettings:
    """Settings of the right types; their ranges they check themselves."""
    if not isinstance(value, dict):
        raise SetError("This set is damaged: it has no settings.")
    kinds = {
        "name": str, "beats": int | None, "minutes": float | int | None, "phrase_bars": int,
        "tempo_bpm": float | int | None, "to_tempo_bpm": float | int | None, "energy": str,
        "keep_order": bool, "genres": list, "mix_ends": bool, "fills": bool, "breakdowns": bool,
        "seed": int,
    }  # fmt: skip
    if value.keys() != kinds.keys():
        raise SetError("This set is damaged: its settings are not those of a set.")
    for name, kind in kinds.items():
        if not isinstance(value[name], kind) or (
            isinstance(value[name], bool) and kind is not bool
        ):
            raise SetError(f"This set is damaged: {name} is {shown(value[name])}.")
    genres = tuple(value["genres"])
    if len(genres) > MOST_GENRES or not all(isinstance(genre, str) for genre in genres):
        raise SetError(f"This set is damaged: genres are {shown(genres)}.")
    return SetSettings(**{**value, "genres": genres})


def _entry(value: object) -> Entry:
    if not isinstance(value, dict):
        raise SetError("This set is damaged: a line of it is no beat.")
    phrases, tempo, fills = (value.get(name) for name in ("phrases", "tempo_bpm", "fills"))
    if phrases is not None and type(phrases) is not int:
        raise SetError(f"This set is damaged: a beat plays {shown(phrases)} phrases.")
    if tempo is not None and type(tempo) not in (int, float):
        raise SetError(f"This set is damaged: a beat's tempo is {shown(tempo)}.")
    if not isinstance(fills, list) or len(fills) > MOST_FILLS:
        raise SetError("This set is damaged: a beat has no list of fills.")
    roles = value.get("roles", [])  # sets saved before there were roles have none
    if not isinstance(roles, list) or len(roles) > MOST_FILLS:
        raise SetError("This set is damaged: a beat has no list of roles.")
    return Entry(
        beat_from_json(value.get("beat")),
        value.get("count"),
        phrases,
        tuple(beat_from_json(fill) for fill in fills),
        tempo,
        tuple(beat_from_json(phrase) for phrase in roles),
        sound_from_json(value.get("sound", {})),  # sets saved before there were sounds have none
    )
