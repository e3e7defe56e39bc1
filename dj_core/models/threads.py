"""How many threads of the processor a model computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy multiply on one thread inside, and as before outside.

    For single notes one thread is the fastest by far: several wait for each other longer than they
    compute.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that numpy multiplies with; to look for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch compute on `count` threads inside, and as before outside.

    The number is part of the result, to the last bit. For single notes one thread is also the
    fastest by far: several wait for each other longer than they compute.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
