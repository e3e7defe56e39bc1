"""How many CPU threads torch computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Compute on `count` threads inside, and as before outside.

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
