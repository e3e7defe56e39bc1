"""State of the Set page in a session: the open set, its file, and running work.

The set at hand is saved with every change, unless the host has made this Digital DJ read only: then
it lives in the session alone. Looking at a set never writes.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dj_core.errors import DigitalDJError, SetChangedError, SetError
from dj_core.host.read_only import check_may_change, read_only
from dj_core.library.library import Library
from dj_core.sets.saved_sets import KeptSet, keep_set, open_set, saved_sets, set_path
from dj_core.sets.set_plan import Entry, SetList
from dj_ui.set_files import SessionFolder
from dj_ui.set_work import Work

LINK = "set"  # the name of the set in the page's address
UNDO_KEPT = 20
_SET, _KEPT, _LOST, _SEEN = "set_now", "set_kept_as", "set_lost", "set_seen"
_WORK, _MADE, _CHOSEN, _FOLDER = "set_work", "set_made", "set_chosen", "set_folder_made"
_UNDO, _IDS, _HEARD = "set_steps", "set_ids", "set_heard"
Stamp = tuple[int, int, int] | None


def sets_folder(library: Library) -> Path:
    """Where a DJ's sets are kept."""
    return library.home / "sets"


def current() -> SetList | None:
    """The set at hand."""
    return st.session_state.get(_SET)


def hold(planned: SetList, library: Library, *, undoing: bool = False) -> None:
    """Make this the set at hand and save it; under another name, its file is renamed.

    What somebody else changed in the same set meanwhile comes along.

    Raises:
        SetChangedError: somebody else changed the same; the set at hand is now theirs. Or it was
            renamed or removed; the set at hand is `planned`, unsaved until it has another name.
        SetError: another set has that name.
        LibraryError: no space or permission.
    """
    state, before = st.session_state, current()
    if not read_only():
        path = set_path(sets_folder(library), planned.settings.name)
        if state.get(_LOST) != path:
            try:
                kept = keep_set(planned, path, state.get(_KEPT))
            except SetChangedError:
                _follow_others(planned)
                raise
            planned = kept.planned
            _remember(kept)
    if before is not None and not undoing and before != planned:
        state[_UNDO] = [*state.get(_UNDO, []), before][-UNDO_KEPT:]
    _take(planned)


def begin(planned: SetList, library: Library) -> None:
    """Make a set that was just built the one at hand; those before it stay in their files.

    Raises DigitalDJError where it could not be saved; it is at hand all the same.
    """
    state = st.session_state
    kept: KeptSet | None = state.get(_KEPT)
    if kept is None or kept.path != set_path(sets_folder(library), planned.settings.name):
        for key in (_KEPT, _LOST, _UNDO, _SET):
            state.pop(key, None)
    state.pop(_MADE, None)
    choose(0)
    try:
        hold(planned, library)
    except DigitalDJError:
        for key in (_KEPT, _UNDO):
            state.pop(key, None)
        _take(planned)
        raise


def open_saved(name: str, library: Library) -> SetList:
    """Make a saved set the one at hand. Raises SetError when it is missing or damaged."""
    folder = sets_folder(library)
    listed = {saved.name: saved.path for saved in saved_sets(folder)}
    kept = open_set(listed.get(name) or set_path(folder, name))
    for key in (_LOST, _UNDO, _MADE, _IDS, _SET):
        st.session_state.pop(key, None)
    _remember(kept)
    _take(kept.planned)
    choose(0)
    return kept.planned


def follow_file() -> str:
    """Show the set at hand as its file is now; a sentence where somebody else changed it."""
    kept: KeptSet | None = st.session_state.get(_KEPT)
    if kept is None or _stamp(kept.path) == st.session_state.get(_SEEN):
        return ""
    if read_only() and current() != kept.planned:
        return ""  # the visitor's own, which is saved nowhere
    before = current()
    try:
        _follow_others(before or kept.planned)
    except SetError:
        return ""  # damaged: what is at hand is worth more; saving it says what is the matter
    if is_lost():
        return ""
    return "" if current() == before else "Somebody else changed this set; you see it as it is now."


def is_lost() -> bool:
    """Whether somebody else renamed or removed the set at hand, so that it is in no file."""
    return _LOST in st.session_state


def undo(library: Library) -> None:
    """Take back the last change of the set at hand. Raises DigitalDJError as `hold`."""
    steps = st.session_state.get(_UNDO, [])
    if steps:
        st.session_state[_UNDO] = steps[:-1]
        hold(steps[-1], library, undoing=True)


def can_undo() -> bool:
    """Whether there is a change to take back."""
    return bool(st.session_state.get(_UNDO))


def remove_saved(name: str, library: Library) -> None:
    """Delete a saved set; the one at hand is let go if it is this one. Raises DigitalDJError."""
    check_may_change("its sets")
    listed = {saved.name: saved.path for saved in saved_sets(sets_folder(library))}
    if name not in listed:
        raise SetError(f"There is no set called {name!r} any more.")
    listed[name].unlink(missing_ok=True)
    kept: KeptSet | None = st.session_state.get(_KEPT)
    if kept is not None and kept.path == listed[name]:
        for key in (_SET, _KEPT, _MADE, _UNDO, _IDS):
            st.session_state.pop(key, None)
        st.query_params.pop(LINK, None)


def free_name(wish: str, library: Library) -> str:
    """`wish`, or with a number behind it where another set than the one at hand has that name."""
    kept: KeptSet | None = st.session_state.get(_KEPT)
    own = kept.path if kept else None
    name, number = wish, 1
    while (path := set_path(sets_folder(library), name)) != own and path.exists():
        number += 1
        name = f"{wish} {number}"
    return name


def identities() -> list[int]:
    """An identity for each beat of the set at hand; a beat keeps its own wherever it goes."""
    planned = current()
    entries = planned.entries if planned else ()
    known: list[tuple[int, Entry]] = st.session_state.get(_IDS, [])
    if len(known) == len(entries) and all(
        one is entry for (_, one), entry in zip(known, entries, strict=True)
    ):
        return [number for number, _ in known]
    free = list(known)
    ids: list[int | None] = []
    for entry in entries:
        match = next((pair for pair in free if pair[1] is entry or pair[1] == entry), None)
        if match:
            free.remove(match)
        ids.append(match[0] if match else None)
    if len(known) == len(entries):  # a beat that was changed stands where it stood
        left = {number for number, _ in free}
        ids = [
            old if one is None and old in left else one
            for one, (old, _) in zip(ids, known, strict=True)
        ]
    following = 1 + max([number for number, _ in known], default=0)
    for place, one in enumerate(ids):
        if one is None:
            ids[place] = following
            following += 1
    st.session_state[_IDS] = list(zip(ids, entries, strict=True))
    return [one for one in ids if one is not None]


def chosen_slot() -> int:
    """The place in the set that is looked at."""
    planned = current()
    last = len(planned.slots) - 1 if planned else 0
    return max(0, min(st.session_state.get(_CHOSEN, 0), last))


def choose(slot: int) -> None:
    """Look at another place."""
    st.session_state[_CHOSEN] = slot


def work() -> Work | None:
    """What is being made, or was made last."""
    return st.session_state.get(_WORK)


def is_busy() -> bool:
    """Whether something is being made."""
    now = work()
    return now is not None and now.busy


def set_work(started: Work) -> None:
    """Remember work that was started."""
    st.session_state[_WORK] = started


def taken_work() -> Work | None:
    """Work that has ended since this was last asked; once."""
    now = work()
    if now is None or now.busy:
        return None
    del st.session_state[_WORK]
    return now


def made_folder() -> Path:
    """Where this session's files are made; outside the DJ's folder."""
    folder = st.session_state.get(_FOLDER)
    if not isinstance(folder, SessionFolder):
        folder = st.session_state[_FOLDER] = SessionFolder()
    return folder.path


def made() -> tuple[Path, ...]:
    """Files that were made of the set at hand and still are there."""
    return tuple(path for path in st.session_state.get(_MADE, ()) if path.is_file())


def add_made(*paths: Path) -> None:
    """Remember files that were made."""
    others = [path for path in made() if path not in paths]
    st.session_state[_MADE] = (*paths, *others)


def heard_change(asked: tuple[object, ...]) -> bytes | None:
    """The sound of a change that was asked for last, if it is the one `asked` for."""
    known = st.session_state.get(_HEARD)
    return known[1] if known and known[0] == asked else None


def keep_heard_change(asked: tuple[object, ...], sound: bytes) -> None:
    """Remember the sound of a change."""
    st.session_state[_HEARD] = (asked, sound)


def _take(planned: SetList) -> None:
    """Have a set at hand, and in the page's address if it has a file."""
    identities()  # of the set before, so that its beats keep theirs
    st.session_state[_SET] = planned
    kept: KeptSet | None = st.session_state.get(_KEPT)
    if kept is not None:
        st.query_params[LINK] = kept.path.name.split(".")[0]
    else:
        st.query_params.pop(LINK, None)


def _remember(kept: KeptSet) -> None:
    st.session_state[_KEPT], st.session_state[_SEEN] = kept, _stamp(kept.path)
    st.session_state.pop(_LOST, None)


def _follow_others(mine: SetList) -> None:
    """Take the set at hand as somebody else left its file; gone, `mine` stays. Raises SetError."""
    state = st.session_state
    kept: KeptSet = state[_KEPT]
    if not kept.path.exists():
        state[_LOST] = kept.path
        state.pop(_KEPT, None)
        _take(mine)
        return
    theirs = open_set(kept.path)
    _remember(theirs)
    state.pop(_UNDO, None)
    _take(theirs.planned)


def _stamp(path: Path) -> Stamp:
    """What tells a file from the one that takes its place, without reading it."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size
