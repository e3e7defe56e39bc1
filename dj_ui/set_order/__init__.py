"""The list of a set's beats: put in order by dragging or by keys, each tempo a field to type in.

Plain JavaScript in the page, mounted through Streamlit's components. The list shows a change at
once and tells the server; it sends one change at a time and waits until the server has drawn it.
Beats go by identities of the session's own, so that a change means the beat the visitor touched
even where the list has changed since.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from dj_ui.javascript import joined

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A beat as the list shows it.

    Attributes:
        id: the beat's identity in this session.
        name, genre, starts, length: what a DJ reads; starts as '12:05', length as '64 bars'.
        tempo: the tempo it plays at, '124'.
        own: whether that is its own and not the set's.
        warning: what a DJ should know about it; '' for nothing.
    """

    id: int
    name: str
    genre: str
    starts: str
    length: str
    tempo: str
    own: bool
    warning: str


@dataclass(frozen=True)
class Change:
    """What a visitor did in the list.

    Attributes:
        kind: 'choose', 'move', 'remove' or 'tempo'.
        id: the beat it was done to.
        before: for 'move', the beat it now stands before; None for the end.
        tempo_bpm: for 'tempo', what was typed; None for the tempo that the set plans.
    """

    kind: str
    id: int
    before: int | None = None
    tempo_bpm: float | None = None


def order_list(
    rows: Sequence[Row], chosen: int, take: Callable[[Change], None], *, key: str
) -> None:
    """Show the list.

    Args:
        rows: the beats in order.
        chosen: index of the one that is looked at.
        take: called before the page runs again with what the visitor did.
        key: unique on the page.
    """
    _component()(
        key=key,
        data={"rows": [asdict(row) for row in rows], "chosen": chosen},
        on_did_change=functools.partial(_take, key, take),
        height="content",
    )


def change_of(payload: object) -> Change | None:
    """What the browser sent, as a change; None for anything else."""
    if not isinstance(payload, dict):
        return None
    kind, identity, before, tempo = (
        payload.get(name) for name in ("kind", "id", "before", "tempo_bpm")
    )
    if kind not in ("choose", "move", "remove", "tempo") or type(identity) is not int:
        return None
    if before is not None and type(before) is not int:
        return None
    if tempo is not None and type(tempo) not in (int, float):
        return None
    return Change(kind, identity, before, None if tempo is None else float(tempo))


def _take(key: str, take: Callable[[Change], None]) -> None:
    change = change_of(st.session_state[key].did)
    if change is not None:
        take(change)


@functools.cache
def _component() -> Any:  # noqa: ANN401 - Streamlit's mounting command
    return st.components.v2.component(
        "dj_set_order",
        css=(_HERE / "order.css").read_text("utf-8"),
        js=joined(_HERE / "order.js"),
    )
