"""Long work of the Set page: it continues in a thread while the visitor uses other controls.

Streamlit runs a page again at every click and drops what it was doing. `Work` runs in a thread that
draws nothing; the page reads its progress from time to time. To save memory, one work runs at a
time on a machine; the others wait, and visitors take turns. The work of a visitor who has left
stops at its next step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dj_core.errors import DigitalDJError
from dj_core.host.limits import LIMITS
from dj_core.host.queues import Line
from dj_ui.turns import give_way
from dj_ui.visiting import Presence, visitor

State = Literal["waiting", "running", "done", "failed", "stopped"]
_LINE = Line(LIMITS.works_at_once, LIMITS.waiting, LIMITS.works_each)
_SECONDS_AWAY = 30.0  # a visitor may be for so long: a phone in a pocket, a tunnel


class StoppedError(Exception):
    """Raised inside a task whose visitor stopped it."""


@dataclass(frozen=True)
class Progress:
    """How far a work is: what it is doing, and how much of that is done, 0 to 1."""

    doing: str
    share: float


class Work:
    """One task in a thread of its own.

    Attributes:
        name: what it makes, for the page.
        state: 'waiting' for another to end, 'running', 'done', 'failed' or 'stopped'.
        progress: how far it is.
        result: what the task returned; None until it is done.
        problem: why it failed, for a DJ; '' otherwise.
    """

    def __init__(self, name: str, task: Callable[[Callable[[str, int, int], None]], Any]) -> None:
        """Start at once, or wait in line. Raises LibraryError where too many do, of all or theirs.

        Args:
            name: what it makes.
            task: called with a function to tell progress to (what, done, total), which raises
                when the work shall stop.
        """
        self.name = name
        self.state: State = "waiting"
        self.progress = Progress("Waiting for other work to end", 0.0)
        self.result: Any = None
        self.problem = ""
        self._task = task
        self._stop = threading.Event()
        self._presence = Presence()
        self._ticket = _LINE.join(visitor())
        self._thread = threading.Thread(target=self._run, name=f"work: {name}", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """It has not ended yet."""
        return self.state in ("waiting", "running")

    def stop(self) -> None:
        """Ask it to end; it does at its next step, and leaves nothing behind."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until it has ended, or for so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            if not _LINE.wait(self._ticket, self._tell_place, self._is_to_stop):
                self.state = "stopped"
                return
            self.state = "running"
            self._tell("Starting", 0, 1)
            self.result = self._task(self._tell)
            self.state = "done"
        except StoppedError:
            self.state = "stopped"
        except DigitalDJError as error:
            self.problem = str(error)
            self.state = "failed"
        except Exception:  # whatever it was, the visitor learns that it is over; the log has it
            self.problem = "Something went wrong that should not have. The log knows more."
            self.state = "failed"
            raise
        finally:
            _LINE.leave(self._ticket)

    def _is_to_stop(self) -> bool:
        return self._stop.is_set() or self._presence.seconds_away() > _SECONDS_AWAY

    def _tell_place(self, before: int) -> None:
        others = "another one" if before == 1 else f"{before} others"
        self.progress = Progress(f"Waits for {others} to be made", 0.0)

    def _tell(self, doing: str, done: int, total: int) -> None:
        if self._is_to_stop():
            raise StoppedError
        give_way()
        self.progress = Progress(doing, min(1.0, done / max(1, total)))
