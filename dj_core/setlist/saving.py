"""Sets kept on disk: one JSON file each, whole in itself, in the DJ's folder `sets/`.

A set holds its beats, not their names in the crate: it plays as it was saved whatever becomes of
the crate.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

from dj_core.access import check_may_change
from dj_core.beat_json import beat_from_json, beat_to_json
from dj_core.errors import BeatError, SetError
from dj_core.naming import safe_stem
from dj_core.setlist.counting import Count
from dj_core.setlist.plan import MAX_BEATS, Entry, SetList, SetSettings, plan_set
from dj_core.storage import write_json_atomic

FORMAT, VERSION = "digital-dj-set", 1
SUFFIX = ".set.json"
LARGEST_FILE_BYTES = 100_000_000  # 99 long beats are a tenth of it


@dataclasses.dataclass(frozen=True)
class SavedSet:
    """A set on disk.

    Attributes:
        name: what it is called.
        path: its file.
    """

    name: str
    path: Path


def save_set(planned: SetList, path: Path) -> Path:
    """Write the set to `path`, completely or not at all. Raises LibraryError."""
    check_may_change("its sets")
    return write_json_atomic(path, set_to_json(planned))


def load_set(path: Path) -> SetList:
    """The set in a file. Raises SetError when it is missing, damaged or not a set."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SetError(f"{path.name} is too large to be a set.")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise SetError(f"The set {path.name} could not be opened: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise SetError(f"{path.name} is damaged: it is not the file of a set.") from error
    return set_from_json(value)


def saved_sets(folder: Path) -> tuple[SavedSet, ...]:
    """The sets in a folder, the one saved last first; files are not opened."""
    files = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
    newest = sorted(files, key=lambda path: (-path.stat().st_mtime, path.name))
    return tuple(SavedSet(path.name.removesuffix(SUFFIX), path) for path in newest)


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
                "beat": beat_to_json(entry.beat),
                "count": entry.count,
                "phrases": entry.phrases,
                "fills": [beat_to_json(fill) for fill in entry.fills],
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
            f"{value.get('version')!r}; this one reads {VERSION})."
        )
    entries = value.get("entries")
    if not isinstance(entries, list) or len(entries) > MAX_BEATS:
        raise SetError(f"A saved set holds a list of up to {MAX_BEATS} beats.")
    try:
        settings = _settings(value.get("settings"))
        return plan_set([_entry(entry) for entry in entries], settings)
    except (BeatError, TypeError, KeyError) as error:
        raise SetError(f"This set is damaged: {error}") from error


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
            raise SetError(f"This set is damaged: {name} is {value[name]!r}.")
    genres = tuple(value["genres"])
    if not all(isinstance(genre, str) for genre in genres):
        raise SetError(f"This set is damaged: genres are {genres!r}.")
    return SetSettings(**{**value, "genres": genres})


def _entry(value: object) -> Entry:
    if not isinstance(value, dict):
        raise SetError("This set is damaged: a line of it is no beat.")
    count, phrases, fills = value.get("count"), value.get("phrases"), value.get("fills")
    if count is not None and count not in get_args(Count):
        raise SetError(f"This set is damaged: a beat is counted {count!r}.")
    if phrases is not None and (type(phrases) is not int or phrases < 1):
        raise SetError(f"This set is damaged: a beat plays {phrases!r} phrases.")
    if not isinstance(fills, list):
        raise SetError("This set is damaged: a beat has no list of fills.")
    beat = beat_from_json(value.get("beat"))
    return Entry(beat, count, phrases, tuple(beat_from_json(fill) for fill in fills))
