"""What a session remembers of the Set page: the set at hand, its file, and work under way."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dj_core.access import check_may_change
from dj_core.errors import SetError
from dj_core.library import Library
from dj_core.setlist.plan import SetList
from dj_core.setlist.saving import load_set, save_set, saved_sets, set_path
from dj_ui.set_work import Work

LINK = "set"  # the name of the set in the page's address
_SET, _FILE, _WORK, _MADE, _CHOSEN = "set_now", "set_file", "set_work", "set_made", "set_chosen"


def sets_folder(library: Library) -> Path:
    """Where a DJ's sets, and what was made of them, are kept."""
    return library.home / "sets"


def current() -> SetList | None:
    """The set at hand."""
    return st.session_state.get(_SET)


def hold(planned: SetList, library: Library) -> None:
    """Make this the set at hand and save it; under another name, its file is renamed.

    Raises:
        SetError: another set has that name.
        LibraryError: no space or permission.
    """
    path = set_path(sets_folder(library), planned.settings.name)
    before: Path | None = st.session_state.get(_FILE)
    if before != path and path.exists():
        raise SetError(
            f"There is a set called {planned.settings.name!r} already. Choose another name."
        )
    save_set(planned, path)
    if before is not None and before != path:
        before.unlink(missing_ok=True)
    st.session_state[_SET], st.session_state[_FILE] = planned, path
    st.query_params[LINK] = path.name.split(".")[0]


def begin(planned: SetList, library: Library) -> None:
    """Make a set that was just built the one at hand; those before it stay in their files."""
    if st.session_state.get(_FILE) != set_path(sets_folder(library), planned.settings.name):
        st.session_state.pop(_FILE, None)
    st.session_state.pop(_MADE, None)
    choose(0)
    hold(planned, library)


def open_saved(name: str, library: Library) -> SetList:
    """Make a saved set the one at hand. Raises SetError when it is missing or damaged."""
    path = set_path(sets_folder(library), name)
    planned = load_set(path)
    st.session_state[_SET], st.session_state[_FILE] = planned, path
    st.session_state.pop(_MADE, None)
    st.query_params[LINK] = name
    choose(0)
    return planned


def remove_saved(name: str, library: Library) -> None:
    """Delete a saved set; the one at hand is let go if it is this one. Raises LibraryError."""
    check_may_change("its sets")
    path = set_path(sets_folder(library), name)
    path.unlink(missing_ok=True)
    if st.session_state.get(_FILE) == path:
        for key in (_SET, _FILE, _MADE):
            st.session_state.pop(key, None)
        st.query_params.pop(LINK, None)


def free_name(wish: str, library: Library) -> str:
    """`wish`, or with a number behind it where another set than the one at hand has that name."""
    taken = {saved.path for saved in saved_sets(sets_folder(library))}
    taken.discard(st.session_state.get(_FILE))
    name, number = wish, 1
    while set_path(sets_folder(library), name) in taken:
        number += 1
        name = f"{wish} {number}"
    return name


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


def made() -> tuple[Path, ...]:
    """Files that were made of the set at hand and still are there."""
    return tuple(path for path in st.session_state.get(_MADE, ()) if path.is_file())


def add_made(*paths: Path) -> None:
    """Remember files that were made."""
    others = [path for path in made() if path not in paths]
    st.session_state[_MADE] = (*paths, *others)
