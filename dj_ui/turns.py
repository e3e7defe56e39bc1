"""Queues for visitors of one server: takes and sound files are made in turn, all else at once.

Python runs one thread at a time. A take consists of thousands of small operations, and its thread
waits for Python again after each: beside a second busy thread it takes fifteen times as long, and
two takes at once each take more than twice as long as one after the other. So takes are made one
after the other, sound files have a queue of their own, and threads switch often.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import streamlit as st
from streamlit import runtime
from streamlit.delta_generator import DeltaGenerator
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.RootContainer_pb2 import RootContainer
from streamlit.runtime.app_session import AppSessionState
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dj_core.errors import GenerationError, LibraryError
from dj_core.files.file_names import counted
from dj_core.host.limits import LIMITS
from dj_core.host.queues import Line
from dj_core.models.request import GenerationRequest
from dj_core.music.beat import Beat
from dj_ui.visiting import Presence, visitor

# How long a thread may keep Python while others want it. Beside one busy thread a take of 0.06 s
# took 0.91 s with Python's own 0.005, 0.34 s with 0.001 and 0.20 s with this.
_SECONDS_AT_A_TIME = 0.000_2
_SECONDS_SAID = 60  # how long a place in line is shown; each word takes that of the one before
_SECONDS_TO_READ = 4  # a word in passing
_SAYING = 0  # its place among what a page says in passing; the words before it are replaced
_SECONDS_AWAY = 5.0  # a visitor may be for so long and keep their place in line
NOTES_PER_BAR = 16
_SECONDS_TO_STAND_BACK = 2.0
_TAKES = Line(LIMITS.takes_at_once, LIMITS.takes_waiting, LIMITS.takes_each)
_RENDERS = Line(LIMITS.renders_at_once, LIMITS.waiting, LIMITS.renders_each)


def share_time() -> None:
    """Have nobody wait for what need not be: once, where the server's loop runs, all imported.

    - Threads change places often.
    - The garbage collector does not look through what was imported. It looks when Python thinks
      it time: Streamlit's own collection after every click (off in `.streamlit/config.toml`) took
      0.08 s with thirty visitors, more than half of all the time the server had.
    - Streamlit makes downloads in the loop's threads, of which two processors have six: as many
      that wait for their turn would keep all others waiting. There are more than may wait.
    """
    sys.setswitchinterval(_SECONDS_AT_A_TIME)
    gc.collect()
    gc.freeze()
    threads = ThreadPoolExecutor(LIMITS.renders_at_once + LIMITS.waiting + 8, "file")
    asyncio.get_running_loop().set_default_executor(threads)


@contextlib.contextmanager
def turn_to_play(doing: str, bars: float) -> Iterator[None]:
    """A visitor's turn to have takes made; their place is on the page until then.

    Args:
        doing: what to say meanwhile.
        bars: how many of 4/4 all its takes have together: everybody else waits as long as that
            takes, whatever it is that they are made of.

    Raises GenerationError for more bars than a turn may make, before anybody waits; LibraryError
    where too many wait, of all or of theirs.
    """
    if bars > LIMITS.turn_bars:
        raise GenerationError(
            f"That is {bars:,.0f} bars to play in one go, and here it may be {LIMITS.turn_bars:,}: "
            "others wait for their beats meanwhile. Ask for fewer bars, or fewer at once."
        )
    ticket = _TAKES.join(visitor())
    try:
        place: list[DeltaGenerator] = []

        def tell(before: int) -> None:
            place[:] = place or [st.empty()]
            place[0].caption(_words(before, "take"))

        if not _TAKES.wait(ticket, tell, _has_left()):
            st.stop()
        for said in place:
            said.empty()
        with st.spinner(doing):
            yield
    finally:
        _TAKES.leave(ticket)


@contextlib.contextmanager
def spare_turn(who: str) -> Iterator[bool]:
    """A turn for a take that nobody has asked for yet: True only while nobody's is made or waits.

    Args:
        who: the visitor it may be for.
    """
    ticket = _TAKES.join_if_idle(who)
    try:
        yield ticket is not None
    finally:
        if ticket:
            _TAKES.leave(ticket)


@contextlib.contextmanager
def quiet_turn(who: str, seconds: float) -> Iterator[bool]:
    """A turn to have a take made for a browser that asks by itself: False where none came in time.

    Args:
        who: the visitor it is for.
        seconds: how long it may wait.

    Raises LibraryError where too many wait, of all or of theirs.
    """
    ticket = _TAKES.join(who)
    end = time.monotonic() + seconds
    try:
        yield _TAKES.wait(ticket, lambda _: None, lambda: time.monotonic() > end)
    finally:
        _TAKES.leave(ticket)


def give_way() -> None:
    """For work that can wait: stand back a moment while takes are made, two seconds at most."""
    end = time.monotonic() + _SECONDS_TO_STAND_BACK
    while _TAKES.busy and time.monotonic() < end:
        time.sleep(0.02)


def bars_asked(request: GenerationRequest) -> float:
    """Bars of 4/4 that a request is as long as; of one in notes, if they were 16ths."""
    if request.bars is None:
        return (request.notes or 0) / NOTES_PER_BAR
    return request.bars * request.meter.bar_quarters / 4


def bars_of(beat: Beat) -> float:
    """Bars of 4/4 that a beat is as long as."""
    return beat.length_quarters / 4


@contextlib.contextmanager
def turn_to_render(tell: Callable[[str], object] | None = None) -> Iterator[None]:
    """A visitor's turn to have sound rendered; until it is, they are told how many come first.

    Args:
        tell: shows words; None says them to the visitor this thread makes a download for.

    Raises LibraryError where too many wait, of all or of theirs, or the visitor has left.
    """
    say = tell or _say
    ticket = _RENDERS.join(visitor())
    try:
        told: list[int] = []

        def tell_place(before: int) -> None:
            told.append(before)
            say(_words(before, "file"))

        if not _RENDERS.wait(ticket, tell_place, _has_left()):
            raise LibraryError("Whoever asked for this file has left.")
        if told:
            over = "Your file is being made."
            tell(over) if tell else _say(over, _SECONDS_TO_READ)
        yield
    finally:
        _RENDERS.leave(ticket)


def _has_left() -> Callable[[], bool]:
    """What tells whether the visitor who waits here has been away for a while."""
    presence = Presence()
    return lambda: presence.seconds_away() > _SECONDS_AWAY


def _say(words: str, seconds: int = _SECONDS_SAID) -> None:
    """A word to the visitor this thread makes a download for, while nothing of theirs is drawn."""
    here = get_script_run_ctx()
    if here:
        say_to(here.session_id, words, seconds, here.page_script_hash)


def say_to(session_id: str, words: str, seconds: int = _SECONDS_TO_READ, page: str = "") -> None:
    """A word that comes up over a visitor's page, while nothing of theirs is drawn.

    Args:
        session_id: one that has been left is told nothing.
        words: they take the place of those before.
        seconds: how long they stay.
        page: Streamlit's name for the page they are meant for; '' for whichever is open.
    """
    session = runtime.get_instance().get_app_session(session_id)
    if not session:
        return
    message = ForwardMsg()
    message.metadata.delta_path[:] = [RootContainer.EVENT, _SAYING]
    message.delta.new_element.toast.body = words
    message.delta.new_element.toast.duration = seconds

    def on_its_page() -> None:
        here = page in ("", session._client_state.page_script_hash)
        if here and session._state is AppSessionState.APP_NOT_RUNNING:
            session._enqueue_forward_msg(message)

    # Streamlit 1.67 has no public way to say something outside a run of the page
    session._call_soon_on_event_loop(on_its_page)


def _words(before: int, what: str) -> str:
    return f"In line: {counted(before, what)} of other visitors first."
