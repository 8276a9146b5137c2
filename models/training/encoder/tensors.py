"""A batch on the device it is worked on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from models.training.data.batches import Batch

__all__ = ["EntityTensors", "Tensors", "to_tensors"]


@dataclass(frozen=True, slots=True)
class EntityTensors:
    """`data.batches.EntityBatch` as tensors."""

    rows: torch.Tensor
    tokens: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True, slots=True)
class Tensors:
    """`data.batches.Batch` as tensors."""

    numbers: Sequence[int]
    ids: torch.Tensor
    mask: torch.Tensor
    labels: Mapping[str, torch.Tensor]
    weights: Mapping[str, torch.Tensor]
    entities: Mapping[str, EntityTensors]
    tags: torch.Tensor
    soft: Mapping[str, torch.Tensor]

    def wanted(self, head: str) -> torch.Tensor:
        """Returns the right labels of a head, int64; of one that judges neither texts nor entities the words' tags."""
        if head in self.labels:
            return self.labels[head]
        return self.entities[head].labels if head in self.entities else self.tags

    @property
    def spans(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """What the network needs to know of the entities."""
        return {head: (one.rows, one.tokens) for head, one in self.entities.items()}


def to_tensors(batch: Batch, device: torch.device) -> Tensors:
    """Copies a batch to `device`."""

    def put(array: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    return Tensors(
        numbers=batch.numbers,
        ids=put(batch.ids),
        mask=put(batch.mask),
        labels={head: put(one) for head, one in batch.labels.items()},
        weights={head: put(one) for head, one in batch.weights.items()},
        entities={
            head: EntityTensors(put(one.rows), put(one.tokens), put(one.labels), put(one.weights))
            for head, one in batch.entities.items()
        },
        tags=put(batch.tags),
        soft={head: put(one) for head, one in batch.soft.items()},
    )
