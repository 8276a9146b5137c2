"""A run that was cut off continues from its last checkpoint, to the same result as if it never stopped.

Nothing random is kept: each step draws from a seed of its own number, each epoch's order from a seed of the epoch's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from models.training.errors import TrainingError

__all__ = ["Progress", "read_checkpoint", "write_checkpoint"]

_STATE = "resume.pt"


@dataclass(slots=True)
class Progress:
    """How far a run is: steps done, and what each evaluation on dev said."""

    step: int = 0
    spent_seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    evaluations: list[Mapping[str, Any]] = field(default_factory=list)
    finished: bool = False


def write_checkpoint(folder: Path, weights: Mapping[str, torch.Tensor], optimiser: Any, progress: Progress) -> None:
    """Writes all that going on needs; the file is whole or the old one."""
    state = {
        "weights": dict(weights),
        "optimiser": optimiser.state_dict(),
        "progress": {name: getattr(progress, name) for name in Progress.__slots__},
    }
    partial = folder / f"{_STATE}.partial"
    torch.save(state, partial)
    partial.replace(folder / _STATE)


def read_checkpoint(folder: Path, weights: Mapping[str, torch.Tensor], optimiser: Any) -> Progress:
    """Puts what `write_checkpoint` wrote into `weights` and `optimiser`; a fresh `Progress` when there is none.

    Raises `TrainingError` when it belongs to another network.
    """
    path = folder / _STATE
    if not path.exists():
        return Progress()
    state = torch.load(path, map_location="cpu", weights_only=True)
    if set(state["weights"]) != set(weights):
        raise TrainingError(f"{path} is of another network; train into another folder, or with --restart")
    with torch.no_grad():
        for name, value in state["weights"].items():
            weights[name].copy_(value)
    optimiser.load_state_dict(state["optimiser"])
    return Progress(**state["progress"])
