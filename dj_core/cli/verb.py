"""What verbs share: how one is made, what it says, how far it is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dj_core.errors import DigitalDJError
from dj_core.host.executors import executor_for
from dj_core.music.beat import Meter
from dj_core.sound.loop_files import LOUDNESSES_LUFS, TARGET_LUFS

Answer = dict[str, Any]
Run = Callable[[argparse.Namespace], Answer]
Option = Callable[[Any], object]
"""Adds itself to a parser or a group of one, whose types argparse keeps private."""


@dataclass(frozen=True)
class Verb:
    """A verb of the command line.

    Attributes:
        run: does what is asked and gives what ``--json`` prints; its docstring is the verb's help.
        timed: the answer ends with the seconds it took.
    """

    name: str
    options: tuple[Option, ...]
    run: Run
    timed: bool

    def add_to(self, verbs: Any) -> None:  # noqa: ANN401 - a type that argparse keeps private
        """Make it known to the command line."""
        purpose = (self.run.__doc__ or "").partition("\n")[0]
        brief = purpose[:1].lower() + purpose[1:].removesuffix(".")
        parser = verbs.add_parser(self.name, help=brief, description=purpose)
        option("--json", action="store_true", help="end with one JSON object on stdout")(parser)
        for add in self.options:
            add(parser)
        parser.set_defaults(verb=self)


def verb(name: str, *options: Option, timed: bool = True) -> Callable[[Run], Verb]:
    """Makes a verb of a function."""
    return lambda run: Verb(name, options, run, timed)


def option(*names: str, **how: Any) -> Option:  # noqa: ANN401 - as argparse takes them
    """An option or argument, as `ArgumentParser.add_argument` has it."""
    return lambda parser: parser.add_argument(*names, **how)


def one_of(*options: Option, required: bool = False) -> Option:
    """Options of which one may be given, or must be."""

    def add(parser: argparse.ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group(required=required)
        for each in options:
            each(group)

    return add


def group(title: str, about: str, *options: Option) -> Option:
    """Options under a heading of their own."""

    def add(parser: argparse.ArgumentParser) -> None:
        heading = parser.add_argument_group(title, about)
        for each in options:
            each(heading)

    return add


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


WORKERS = one_of(
    option("--scheduler", help="a Dask scheduler, as in tcp://10.0.0.1:8786"),
    option("--processes", type=positive, default=1, help="of this machine (default 1)"),
)
"""Where a verb's work is done."""
KIT = (
    option("--kit", default="standard", help="as `kits` lists it"),
    option("--soundfont", type=Path, help="an .sf2 file (default: the best one found)"),
)
"""What a verb's sound is made with."""
LUFS = option(
    "--lufs",
    type=float,
    choices=LOUDNESSES_LUFS,
    default=TARGET_LUFS,
    help="how loud loops are; above -20 a limiter turns peaks down",
)
AS_PLAYED = option(
    "--as-played",
    type=positive,
    metavar="BARS",
    help="so many bars as the deck plays them: conditions met, drums in their own lengths",
)


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
