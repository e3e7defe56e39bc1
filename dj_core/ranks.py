"""One training run in several processes, as `torchrun` starts them: each learns from its share.

Every process ("rank") holds the whole network. Of a batch each takes every so-manieth song; the
gradients are added up before each step, so all take the same step as one process alone would: the
same losses, up to rounding. The first rank writes the run; the others keep what they write to
themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch.nn import Parameter

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, and which of them this is.

    Attributes:
        rank: of this process, from 0; the first leads.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """This process writes the run."""
        return self.rank == 0

    def share(self, batch: Sequence[_Item]) -> Sequence[_Item]:
        """What this process learns from."""
        return batch[self.rank :: self.count]

    def summed(self, numbers: Sequence[float]) -> list[float]:
        """Numbers added up over all processes; all of them have to ask."""
        import torch
        from torch import distributed

        if self.count == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64)
        distributed.all_reduce(total)
        return total.tolist()

    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Give every process the sum of all gradients."""
        import torch
        from torch import distributed

        if self.count == 1:
            return
        parameters = list(parameters)
        for parameter in parameters:
            if parameter.grad is None:  # nothing of the batch was left for this process
                parameter.grad = torch.zeros_like(parameter)
        together = torch.cat([parameter.grad.flatten() for parameter in parameters])
        distributed.all_reduce(together)
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, part in zip(parameters, together.split(sizes), strict=True):
            parameter.grad.copy_(part.view_as(parameter))


@contextmanager
def ranks_joined() -> Iterator[Ranks]:
    """The ranks that torchrun's environment variables speak of; one, where there are none."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    from torch import distributed

    distributed.init_process_group("gloo")  # networks are trained on the processor
    try:
        yield Ranks(distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
