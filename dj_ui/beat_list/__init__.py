"""A list of beats: choose one by a click, a touch or the keys, and it plays.

Explore and the crate share it. It is drawn in the browser (`list.js`); a part of what a search
finds is sent at a time. Where beats may be changed, each row also holds its stars, and opens to its
name, tags and notes.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException

from dj_ui.javascript import joined

_HERE = Path(__file__).parent
ROWS_A_PART = 100
MOST_ROWS = 10_000_000  # no list is longer
FIELDS = ("name", "tags", "rating", "notes")


@dataclass(frozen=True)
class BeatRow:
    """What the list says of one beat.

    Attributes:
        id: what it is chosen by.
        name: what to call it.
        tempo: as it is shown, such as '124'.
        words: what else is worth a word: genre, length.
        rating, tags, notes: where beats may be changed.
    """

    id: str
    name: str
    tempo: str
    words: str
    rating: int = 0
    tags: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class RowEdit:
    """A change that a visitor made in a row.

    Attributes:
        id: of the beat.
        field: one of `FIELDS`.
        seen: the value that it was changed from.
        value: what it is to be.
    """

    id: str
    field: str
    seen: object
    value: object


@dataclass(frozen=True)
class Picked:
    """What a visitor has picked in a list.

    Attributes:
        id: the row to show.
        play: a token for the deck, which starts a beat once for each; None to leave it silent.
        ticked: the rows that are ticked, wherever they are listed.
    """

    id: str
    play: str | None
    ticked: tuple[str, ...]


def first_row(key: str, search: Hashable) -> int:
    """How many rows to pass over: the list of a search that has just changed begins anew."""
    state = _state(key)
    if state.get("search") != search:
        state.update(search=search, first=0, take=None)
    return state["first"]


def pick(key: str, id: str) -> None:
    """Have a beat shown, silently."""
    _state(key).update(shown=id, first=0, take=None)


def beat_list(
    rows: Sequence[BeatRow],
    *,
    key: str,
    label: str,
    noun: str,
    total: int,
    first: int = 0,
    tags: Sequence[str] = (),
    on_edit: Callable[[RowEdit], object] | None = None,
) -> Picked:
    """Draw the list and say what is picked in it: the first row, until another one is.

    Args:
        rows: the part of the list to show, at least one row, from row `first` on of `total`.
        key: unique on the page, and the one that `first_row` was asked for.
        label: what the list is, for those who do not see it.
        noun: what it counts, in the singular.
        tags: those already in use.
        on_edit: called with every change, before the page is drawn; None where nothing may be
            changed.
    """
    state = _state(key)
    ids = [row.id for row in rows]
    if state.get("take") is not None:  # the arrow keys went on to another part of the list
        _choose(state, ids[0 if state["take"] == "first" else -1])
    state["take"] = None
    if state.get("shown") not in ids:
        state["shown"] = ids[0]
    _component()(
        key=key,
        data={
            "label": label,
            "noun": noun,
            "rows": [
                {
                    "id": row.id,
                    "name": row.name,
                    "tempo": row.tempo,
                    "words": row.words,
                    "rating": row.rating,
                    "tags": list(row.tags),
                    "notes": row.notes,
                }
                for row in rows
            ],
            "shown": state["shown"],
            "first": first,
            "most": ROWS_A_PART,
            "total": total,
            "changes": on_edit is not None,
            "tags": list(tags),
            "taken": state.get("taken", 0),
        },
        on_chosen_change=functools.partial(_take_choice, key),
        on_turned_change=functools.partial(_take_turn, key),
        on_ticked_change=lambda: None,
        on_edits_change=functools.partial(_take_edits, key, on_edit),
    )
    chosen, token = state.get("play", ("", None))
    ticked = st.session_state[key].get("ticked") or ()
    return Picked(
        state["shown"],
        token if chosen == state["shown"] else None,
        tuple(id for id in ticked if isinstance(id, str)) if isinstance(ticked, list) else (),
    )


def _state(key: str) -> dict[str, Any]:
    """What the session remembers of a list, which leaving its page does not end."""
    return st.session_state.setdefault(f"{key}_picked", {"first": 0})


def _choose(state: dict[str, Any], id: str) -> None:
    state["shown"], state["play"] = id, (id, secrets.token_hex(4))


def _take_choice(key: str) -> None:
    id = st.session_state[key].chosen
    if isinstance(id, str):
        _choose(_state(key), id)


def _take_turn(key: str) -> None:
    turned = st.session_state[key].turned
    if isinstance(turned, dict) and type(turned.get("first")) is int:
        take = turned.get("take")
        _state(key).update(
            first=min(max(0, turned["first"]), MOST_ROWS),
            take=take if take in ("first", "last") else None,
        )


def _take_edits(key: str, on_edit: Callable[[RowEdit], object] | None) -> None:
    """Hand on the edits that have not been handed on; the browser keeps each until then.

    The visitor's next click may cut this off at any look into the session, and nobody would call
    again: so it is taken up anew, and the click is heeded afterwards.
    """
    next_click = None
    while True:
        try:
            _hand_on(key, on_edit)
            break
        except RerunException as cut_off:
            next_click = cut_off
    if next_click is not None:
        raise next_click


def _hand_on(key: str, on_edit: Callable[[RowEdit], object] | None) -> None:
    edits, state = st.session_state[key].get("edits"), _state(key)
    if on_edit is None or not isinstance(edits, list):
        return
    for edit in edits:
        if not isinstance(edit, dict) or type(edit.get("number")) is not int:
            continue
        if edit["number"] <= state.get("taken", 0) or edit.get("field") not in FIELDS:
            continue
        on_edit(RowEdit(str(edit.get("id")), edit["field"], edit.get("from"), edit.get("value")))
        state["taken"] = edit["number"]  # handed on twice is better than never: the same is written


@functools.cache
def _component() -> Any:  # noqa: ANN401 - Streamlit's mounting command
    return st.components.v2.component(
        "dj_beat_list",
        css=(_HERE / "list.css").read_text("utf-8"),
        js=joined(_HERE / "list.js"),
    )
