"""Where work is done: here, in several processes, or on a Dask cluster.

All of it is a `concurrent.futures.Executor`, so what hands work out knows none of them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from dj_core.errors import LibraryError

CONNECT_SECONDS = 10
WORKER_DEATHS = 3  # a piece of work is tried again when its worker dies, so often


@contextmanager
def executor_for(scheduler: str | None = None, processes: int = 1) -> Iterator[Executor | None]:
    """An executor for as long as the block lasts; None where work is done in this process.

    Args:
        scheduler: address of a Dask scheduler, as in tcp://10.0.0.1:8786.
        processes: how many of this machine, where no scheduler is given.

    Raises:
        LibraryError: no scheduler answers at that address, or Dask is not installed.
    """
    if scheduler is not None:
        with _cluster(scheduler) as executor:
            yield executor
    elif processes > 1:
        # started afresh: a fork of a process with threads may never come to its senses
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            yield pool
    else:
        yield None


@contextmanager
def _cluster(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError:
        raise LibraryError(
            "Work on a cluster needs Dask: .venv/bin/pip install -r requirements-scale.txt"
        ) from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise LibraryError(
            f"No Dask scheduler answers at {scheduler} ({error}). Start one with "
            "`dask scheduler`, and workers with `dask worker ADDRESS`."
        ) from error
    with client, client.get_executor(pure=False, retries=WORKER_DEATHS) as executor:
        yield executor
