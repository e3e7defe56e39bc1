"""Queues with a visible place in line, and limits per visitor and hour.

Two kinds of queue: `Line` for work in threads of one server, `turn_to_train` for training
processes of whichever server or command line. The second keeps its order in lock files, which the
system frees when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dj_core.errors import OTHER_HOME, LibraryError, not_saved
from dj_core.host.operating_system import lock

SECONDS_PER_HOUR = 3_600.0
SECONDS_BETWEEN_LOOKS = 0.5
TURNS_NAME = ".turns"  # in the folder of runs
_TICKET, _SLOT = "ticket-", "slot-"
_TICKET_NAME = re.compile(rf"{_TICKET}\d{{20}}-\d+")

Tell = Callable[[int], None]
"""Called with how many have to end first at most, whenever that changes."""


@dataclass(eq=False)
class Ticket:
    """A place in a `Line`: whose it is, and whether their turn has come."""

    who: str
    called: bool = False


class Line:
    """Work that is done a few at a time, by turns among those who ask.

    Whoever has nothing under way comes before those who have; among equals, who came first. So
    one visitor with twenty tabs holds another up by one work at most.
    """

    def __init__(self, at_once: int, waiting: int, each: int | None = None) -> None:
        """
        Args:
            at_once: how many work together.
            waiting: how many more may stand in line.
            each: how many of all these places one visitor may have; None for any number.
        """
        self._at_once, self._most = at_once, at_once + waiting
        self._each = each
        self._tickets: list[Ticket] = []
        self._changed = threading.Condition()

    def join(self, who: str = "") -> Ticket:
        """A ticket for a visitor, which must be given to `leave` in the end.

        Raises LibraryError when the line is full, or their part of it.
        """
        with self._changed:
            theirs = sum(ticket.who == who for ticket in self._tickets)
            if self._each is not None and theirs >= self._each:
                raise LibraryError(
                    f"{self._each} of yours are being made or wait already. Go on when one of "
                    "them is done."
                )
            if len(self._tickets) >= self._most:
                raise LibraryError(
                    f"{len(self._tickets)} visitors are being served or wait already. "
                    "Try again in a few minutes."
                )
            ticket = Ticket(who)
            self._tickets.append(ticket)
            return ticket

    def join_if_idle(self, who: str = "") -> Ticket | None:
        """A ticket whose turn it is, for work that can be left; None where others are here."""
        with self._changed:
            if self._tickets:
                return None
            ticket = Ticket(who, called=True)
            self._tickets.append(ticket)
            return ticket

    def before(self, ticket: Ticket) -> int:
        """How many have to end before it is this ticket's turn; 0 when it is."""
        with self._changed:
            return self._before(ticket)

    def wait(self, ticket: Ticket, tell: Tell, stopped: Callable[[], bool]) -> bool:
        """Wait for the ticket's turn; False where `stopped` said so first."""
        told = 0
        while not stopped():
            with self._changed:
                before = self._before(ticket)
                ticket.called = ticket.called or not before
                if ticket.called:
                    return True
                if before == told:  # looked and waited under one lock, no call is missed
                    self._changed.wait(SECONDS_BETWEEN_LOOKS)
                    continue
            tell(before)
            told = before
        return False

    @property
    def busy(self) -> bool:
        """Somebody is served or waits."""
        return bool(self._tickets)

    def leave(self, ticket: Ticket) -> None:
        """Make room for the next."""
        with self._changed:
            self._tickets.remove(ticket)
            self._changed.notify_all()

    def _before(self, ticket: Ticket) -> int:
        if ticket.called:
            return 0
        has: Counter[str] = Counter(each.who for each in self._tickets if each.called)
        ranked = []
        for place, each in enumerate(self._tickets):
            if not each.called:
                ranked.append((has[each.who], place, each))
                has[each.who] += 1
        ranked.sort(key=lambda one: one[:2])
        ahead = [each for _, _, each in ranked].index(ticket)
        free = self._at_once - (len(self._tickets) - len(ranked))
        return max(0, ahead - free + 1)


class Allowance:
    """How often each visitor may do something within an hour."""

    def __init__(self, per_hour: int, doing: str) -> None:
        """`doing` says what, as in 'Files can be added'."""
        self._per_hour, self._doing = per_hour, doing
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, who: str, now: float | None = None) -> None:
        """Count one more of a visitor's; `now` in seconds. Raises LibraryError beyond the limit."""
        now = time.monotonic() if now is None else now
        with self._lock:
            for name, times in list(self._times.items()):
                if not times or now - times[-1] >= SECONDS_PER_HOUR:
                    del self._times[name]  # nobody is remembered for longer than needed
            times = self._times[who]
            while times and now - times[0] >= SECONDS_PER_HOUR:
                times.popleft()
            if len(times) >= self._per_hour:
                minutes = max(1, round((SECONDS_PER_HOUR - (now - times[0])) / 60))
                raise LibraryError(
                    f"{self._doing} {self._per_hour} times an hour. Go on in {minutes} "
                    f"minute{'s' * (minutes > 1)}."
                )
            times.append(now)


@contextlib.contextmanager
def turn_to_train(
    runs_folder: Path,
    at_once: int,
    tell: Tell = lambda before: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Wait until fewer than `at_once` processes train, and count as one of them.

    Also entered, out of turn, when `stopped` says so: what waits can then end in good order.
    Raises LibraryError where the folder cannot be written.
    """
    folder = runs_folder / TURNS_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ticket = folder / f"{_TICKET}{time.time_ns():020}-{os.getpid()}"
        with contextlib.ExitStack() as held:
            held.callback(ticket.unlink, missing_ok=True)  # last: an open file can stay on Windows
            file = held.enter_context(ticket.open("wb"))
            lock(file.fileno(), wait=False)
            told = -1
            while not stopped():
                waiting = _others_before(folder, ticket)
                slot = _free_slot(folder, at_once) if not waiting else None
                if slot:
                    held.enter_context(slot)
                    file.close()
                    ticket.unlink(missing_ok=True)
                    break
                before = waiting + at_once  # those that train end first
                if before != told:
                    tell(before)
                    told = before
                time.sleep(SECONDS_BETWEEN_LOOKS)
            yield
    except OSError as error:
        raise not_saved("The runs cannot be queued", error, OTHER_HOME) from error


def _others_before(folder: Path, ticket: Path) -> int:
    """Tickets drawn earlier whose process still lives; those of dead ones are taken away."""
    before = 0
    tickets = (path for path in folder.iterdir() if _TICKET_NAME.fullmatch(path.name))
    for path in sorted(tickets):
        if path.name >= ticket.name:
            break
        # gone meanwhile, or, on Windows, looked at by another
        with contextlib.suppress(FileNotFoundError, PermissionError):
            with path.open("rb") as file:
                lives = not lock(file.fileno(), wait=False)
            if lives:
                before += 1
            else:
                path.unlink(missing_ok=True)
    return before


def _free_slot(folder: Path, at_once: int) -> BinaryIO | None:
    for number in range(at_once):
        file = (folder / f"{_SLOT}{number}").open("ab")
        if lock(file.fileno(), wait=False):
            return file
        file.close()
    return None
