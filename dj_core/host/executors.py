"""Executors for work in this process, in several processes, or on a Dask cluster.

All of it is a `concurrent.futures.Executor`, so what hands work out knows none of them.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from dj_core.errors import LibraryError
from dj_core.host.extras import require

if TYPE_CHECKING:
    import distributed

_Answer = TypeVar("_Answer")

CONNECT_SECONDS = 10
WORKER_DEATHS = 3  # a piece of work is tried again when its worker dies, so often


@contextmanager
def executor_for(scheduler: str | None = None, processes: int = 1) -> Iterator[Executor | None]:
    """An executor for as long as the block lasts; None where work is done in this process.

    Args:
        scheduler: address of a Dask scheduler, as in tcp://10.0.0.1:8786.
        processes: how many of this machine, where no scheduler is given.

    Raises LibraryError where no scheduler answers at that address, or Dask is not installed.
    """
    if scheduler is not None:
        try:
            from distributed import Client

            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except ImportError:
            require("distributed")
            raise
        except (OSError, ValueError) as error:
            raise LibraryError(
                f"No Dask scheduler answers at {scheduler} ({error}). Start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`."
            ) from error
        with client, _OnCluster(client) as executor:
            yield executor
    elif processes > 1:
        # spawned: a fork of a process with threads may deadlock
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            yield pool
    else:
        yield None


def in_order(
    work: Callable[..., _Answer],
    jobs: Iterable[tuple[Any, ...]],
    executor: Executor | None,
    ahead: int,
) -> Iterator[_Answer]:
    """What `work` answers to each job's arguments, in the jobs' order, as soon as it is there.

    Args:
        work: a function of a module; it and what it is given and answers travel to the workers.
        jobs: taken only as far ahead as there is work handed out.
        executor: carries the work; None does it here, one job when its answer is wanted.
        ahead: jobs handed out beyond the one that is waited for; with the size of an answer a
            bound on memory.
    """
    waiting: deque[Future[_Answer]] = deque()
    try:
        for job in jobs:
            if executor is None:
                yield work(*job)
                continue
            waiting.append(executor.submit(work, *job))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:  # whoever asked has stopped listening
            future.cancel()


class _OnCluster(Executor):
    """Work on a Dask cluster; what is lost with a worker is done again.

    Dask has an executor of its own. It reads an answer and then, a moment later, whether there is
    one: where the worker dies in between, the answer is taken for an error. Asked for its result, a
    Dask future waits until another worker has it.
    """

    def __init__(self, client: distributed.Client) -> None:
        self._client = client

    def submit(
        self, work: Callable[..., _Answer], /, *given: object, **named: object
    ) -> Future[_Answer]:
        """Hand out a piece of work."""
        answer: Future[_Answer] = Future()
        remote = self._client.submit(work, *given, pure=False, retries=WORKER_DEATHS, **named)

        def pass_on(done: distributed.Future[_Answer]) -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(done.result())
            # whatever the work raised is for whoever asked for the answer
            except BaseException as error:
                answer.set_exception(error)

        remote.add_done_callback(pass_on)
        answer.add_done_callback(lambda done: remote.cancel() if done.cancelled() else None)
        return answer
