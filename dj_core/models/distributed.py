"""Training in several processes under `torchrun`: each learns from its share of a batch.

Every process ("rank") holds the whole network. With N processes, rank r takes songs r, r + N,
r + 2N … of each batch. The gradients are summed before each step, so all ranks take the same step
that one process would take: the losses are the same, up to rounding. The first rank writes the
run; the others write to a temporary folder of their own.

Where a machine has GPUs, `Ranks.device` gives each process one of them; tensors there are added up
over NCCL, those on the processor over gloo.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, device
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

    @property
    def device(self) -> device:
        """Where this process computes: on a GPU of its own if there is one, else the processor."""
        import torch

        if not torch.cuda.is_available():
            return torch.device("cpu")
        here = int(os.environ.get("LOCAL_RANK", "0"))  # its number on this machine
        return torch.device("cuda", here % torch.cuda.device_count())

    @property
    def part(self) -> slice:
        """The indices of a batch this process learns from: from `rank` on, in steps of `count`."""
        return slice(self.rank, None, self.count)

    def share(self, batch: Sequence[_Item]) -> Sequence[_Item]:
        """What this process learns from."""
        return batch[self.part]

    @contextmanager
    def own_folder(self, run_folder: Path) -> Iterator[Path]:
        """Where this process writes: the run's folder where it leads, else one of its own."""
        if self.leads:
            yield run_folder
        else:
            with tempfile.TemporaryDirectory() as folder:
                yield Path(folder)

    def gathered(self, part: Tensor, size: int, dimension: int) -> Tensor:
        """All processes' parts as one tensor; all of them have to ask.

        Args:
            part: what this process holds of it, as `share` deals it out.
            size: of all parts together, along the dimension.
            dimension: along which it is shared out.
        """
        import torch
        from torch import distributed

        if self.count == 1:
            return part
        shape = list(part.shape)
        shape[dimension] = size
        whole = torch.zeros(shape, dtype=part.dtype, device=part.device)
        places = torch.arange(size, device=part.device)[self.part]
        whole.index_copy_(dimension, places, part)
        distributed.all_reduce(whole)
        return whole

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
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:  # nothing of the batch was left for this process
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, together.split(sizes), strict=True):
            gradient.copy_(part.view_as(gradient))


@contextmanager
def ranks_joined() -> Iterator[Ranks]:
    """The ranks that torchrun's environment variables speak of; one, where there are none.

    Several runs of one program stay joined in a block of their own: processes that part and join
    again may miss each other.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    import torch
    from torch import distributed

    if distributed.is_initialized():
        yield Ranks(distributed.get_rank(), count)
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend)
    try:
        yield Ranks(distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()
