"""How a time is taken: on one thread, as what it costs the core, the median of several."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        part: what is measured, as in 'import'.
        name: ours, or a baseline.
        value: in `unit`.
        unit: as in 'ms/file'.
        more_is_better: rates; times are the other way round.
        against: name of the row in the same part that this one is a ratio of; '' for none.
        note: what to know.
    """

    part: str
    name: str
    value: float
    unit: str
    more_is_better: bool = False
    against: str = ""
    note: str = ""


def core_seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """What `work` costs one core, the median of `rounds` after one to warm up.

    Processor time, not the clock's: other programs may be running. All work measured here is done
    by one thread.
    """
    work()
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def ratio_of(row: Row, rows: list[Row]) -> float | None:
    """How many times better a row is than the one it is against; None without one."""
    for other in rows:
        if row.against and (other.part, other.name) == (row.part, row.against):
            better = (row.value, other.value) if row.more_is_better else (other.value, row.value)
            return better[0] / better[1]
    return None
