"""Damaged and hostile forms of a JSON file, for everything the app reads.

    def test_damaged_sets_are_refused(tmp_path):
        path = saved_set(tmp_path)
        for form in hostile_forms(path.read_bytes()):
            with only_our_errors(form):
                path.write_bytes(form.content)
                load_set(path)

A form that happens to be accepted is accepted; what counts is that nothing but a `DigitalDJError`
comes out, in words that fit on a page, and in a time a visitor would wait.
"""

from __future__ import annotations

import contextlib
import copy
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dj_core.errors import DigitalDJError

CASES = 300
MOST_SECONDS = 10.0  # of processor time for one form
MOST_WORDS = 2_000  # characters of an error

_WHOLE = (
    b"", b" ", b"\n", b"null", b"true", b"7", b'"x"', b"[]", b"{}", b"[[]]", b"[{}]", b"{", b"[",
    b'{"a"', b"NaN", b"-Infinity", b"1e400", b"7" * 9_999, b"-" + b"9" * 20_000, b"'single'",
    b"\xff\xfe", b"\xef\xbb\xbf{}", b"\x00" * 4_096, b"\x80\x81", b"[" * 100_000,
    b'{"a":' * 100_000, b'"' + b"x" * 1_000_000 + b'"', b"PK\x03\x04", b"SQLite format 3\x00",
    b"{} {}", b"[1,]", b"// no JSON",
)  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, -(2**64), 10**30, 10**400, 1.5, -0.0, 1e-320,
    1e308, float("nan"), float("inf"), float("-inf"), "", " ", "x", "7", "nan", "\x00", "\x1b[2J",
    "\ud800", "\u202etxt.exe", "../../../etc/passwd", "/etc/passwd", "C:\\boot.ini", "con",
    "<script>alert(1)</script>", "x" * 100_000, [], [[]], [None], {}, {"": {}}, {"a": 1},
    ["x"] * 99, list(range(99)), [[1, 2], [3]], {"a": {"a": {"a": {"a": {}}}}},
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """One damaged form of a file.

    Attributes:
        what: what was done to it, for a test's message.
        content: the bytes.
    """

    what: str
    content: bytes


def hostile_forms(genuine: bytes, cases: int = CASES, seed: int = 1) -> Iterator[Form]:
    """`cases` forms of a JSON file: no JSON at all, cut, flipped, and with every value exchanged.

    The same for the same file and seed. Each form differs from the genuine file.
    """
    draw = random.Random(seed)
    value = json.loads(genuine)
    for number in range(cases):
        if number < len(_WHOLE):
            form = Form(f"the whole file is {_WHOLE[number][:20]!r}", _WHOLE[number])
        elif number % 6 == 0:
            form = _of_bytes(draw, genuine)
        else:
            form = _of_values(draw, value)
        if form.content != genuine:
            yield form


@contextlib.contextmanager
def only_our_errors(form: Form) -> Iterator[None]:
    """What reads `form` in the block ends well or in a DigitalDJError, within reason."""
    started = time.process_time()
    try:
        yield
    except DigitalDJError as error:
        words = str(error)
        assert words.strip(), f"{form.what}: no words"
        assert len(words) < MOST_WORDS, f"{form.what}: {len(words)} characters"
    except Exception as error:
        raise AssertionError(f"{form.what}: {type(error).__name__}: {str(error)[:300]}") from error
    seconds = time.process_time() - started
    assert seconds < MOST_SECONDS, f"{form.what}: {seconds:.1f} seconds"


def _of_bytes(draw: random.Random, genuine: bytes) -> Form:
    """Cut short, grown, or with a byte that is another."""
    place = draw.randrange(len(genuine))
    kind = draw.randrange(5)
    if kind == 0:
        return Form(f"cut at byte {place}", genuine[:place])
    if kind == 1:
        return Form("something follows", genuine + draw.randbytes(draw.randrange(1, 40)))
    if kind == 2:
        return Form("twice", genuine * 2)
    if kind == 3:
        return Form("in UTF-16", genuine.decode().encode("utf-16"))
    changed = bytearray(genuine)
    changed[place] ^= 1 << draw.randrange(8)
    return Form(f"a bit of byte {place} is another", bytes(changed))


def _of_values(draw: random.Random, value: Any) -> Form:
    """Well-formed JSON in which one value, somewhere, is none that belongs there."""
    changed = copy.deepcopy(value)
    place = _somewhere(draw, changed)
    if place is None:
        odd = draw.choice(_ODD)
        return Form(f"the whole is {odd!r:.40}", _bytes_of(odd))
    holder, name = place
    kind = draw.randrange(10)
    if kind == 0:
        what = f"{name!r} is missing"
        del holder[name]
    elif kind == 1 and isinstance(holder, dict):
        what = f"{name!r} goes by another name"
        holder[f"{name}\u0430"] = holder.pop(name)
    elif kind == 2 and isinstance(holder, list):
        what = f"item {name} comes 3,000 times"
        holder.extend([holder[name]] * 3_000)
    elif kind == 3 and isinstance(holder, list):
        what = "the list is reversed"
        holder.reverse()
    elif kind == 4 and type(holder[name]) in (int, float):
        factor = draw.choice((-1, 1e-9, 1e9, 1e300))
        what = f"{name!r} is {factor} times as much"
        holder[name] *= factor
    elif kind == 5:
        what = f"{name!r} is a text of what it was"
        holder[name] = str(holder[name])
    elif kind == 6:
        what = f"{name!r} is in a list of its own"
        holder[name] = [holder[name]]
    else:
        odd = draw.choice(_ODD)
        what = f"{name!r} is {odd!r:.40}"
        holder[name] = odd
    return Form(what, _bytes_of(changed))


def _somewhere(draw: random.Random, value: Any) -> tuple[Any, Any] | None:
    """A place as (holder, key or index), found from the top down; None where there is none."""
    place = None
    while isinstance(value, dict | list) and value and (place is None or draw.random() < 0.7):
        name = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
        place = value, name
        value = value[name]
    return place


def _bytes_of(value: Any) -> bytes:
    """JSON as Python writes it, with NaN, Infinity and lone surrogates as escapes."""
    return json.dumps(value).encode("ascii")
