"""What verbs share: how one is added, what it says, how far it is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Any

from dj_core.errors import DigitalDJError
from dj_core.host.executors import executor_for
from dj_core.music.beat import Meter

Answer = dict[str, Any]
Verbs = Any  # argparse keeps the type of its sub-parsers private


def add_verb(
    verbs: Verbs,
    name: str,
    purpose: str,
    answer: Callable[[argparse.Namespace], Answer],
) -> argparse.ArgumentParser:
    """A verb that answers with what ``--json`` prints."""
    verb = verbs.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
    verb.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    verb.set_defaults(answer=answer)
    return verb


def say(text: str) -> None:
    """A line for whoever reads along."""
    print(text, flush=True)


def meter(text: str) -> Meter:
    """The value of ``--meter``, as in 6/8."""
    try:
        return Meter.parse(text)
    except DigitalDJError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def positive(text: str) -> int:
    """The value of an option that counts."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is needed; got {text!r}")
    return int(text)


def add_workers(verb: argparse.ArgumentParser) -> None:
    """The options that say where a verb's work is done."""
    where = verb.add_mutually_exclusive_group()
    where.add_argument("--scheduler", help="a Dask scheduler, as in tcp://10.0.0.1:8786")
    where.add_argument("--processes", type=positive, default=1, help="of this machine (default 1)")


def workers(options: argparse.Namespace) -> AbstractContextManager[Executor | None]:
    """Whoever does the verb's work, as asked. Raises LibraryError when entered."""
    return executor_for(options.scheduler, options.processes)


class ProgressBar:
    """A progress bar on stderr, only where somebody watches."""

    def __init__(self, doing: str, unit: str) -> None:
        self._doing, self._unit = doing, unit

    def __enter__(self) -> ProgressBar:
        from tqdm import tqdm

        self._bar = tqdm(desc=self._doing, unit=self._unit, disable=None, leave=False)
        return self

    def show(self, done: int, total: int, words: str = "") -> None:
        """`done` of `total`, with a few words behind the bar."""
        self._bar.total = total
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(done - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
