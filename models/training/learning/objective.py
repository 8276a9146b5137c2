"""What a run learns, as the loop sees it: rows, a loss on a batch of them, and figures on dev."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from models.training.data.batches import Batch, Encoded

__all__ = ["Figures", "Objective"]


@dataclass(frozen=True, slots=True)
class Figures:
    """An evaluation on dev: the `score` that choices go by, what the record keeps of it, its curves, and a line."""

    score: float
    kept: Mapping[str, Any]
    curves: Mapping[str, float]
    line: str


class Objective(Protocol):
    """What is learnt, by which network, from which rows."""

    network: nn.Module
    rows: Sequence[Encoded]
    fresh_first: bool
    """Whether what is fresh learns alone until the rate is warm."""

    def fresh(self, name: str) -> bool:
        """Returns whether the weight `name` knows nothing yet; such have the heads' rate."""
        ...

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """Returns rows as a batch."""
        ...

    def loss(self, batch: Batch) -> torch.Tensor:
        """Returns what a step descends; what it draws comes from torch's own generator."""
        ...

    def evaluate(self) -> Figures:
        """Returns how good the network is on dev."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the network."""
        ...
