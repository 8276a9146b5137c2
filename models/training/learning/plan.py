"""What decides a run's result, and the plain rules that follow from it: rates, and when to stop."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Plan", "best_of", "rate_at", "should_stop", "warmup_steps"]

Decay = Literal["linear", "cosine"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Written beside a run's weights; a run is resumed under the same plan or not at all."""

    seed: int = 7
    epochs: int = 3
    batch_rows: int = 32
    max_tokens: int = 96
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    decay: Decay = "linear"
    label_smoothing: float = 0.05
    clip_norm: float = 1.0
    dropout: float = 0.1
    activation: str = ""
    """Takes the place of the encoder's own between its feed-forward layers, such as relu; "" leaves it its own."""
    freeze_layers: int = 0
    """The lowest so many layers keep the encoder's weights, and the embeddings too; their output is kept on disk."""
    freeze_embeddings: bool = True
    """Words that the training texts lack would else drift away from those that they hold."""
    lora_rank: int = 0
    """Adapters of this rank learn in the encoder's stead; 0 for none."""
    patience: int = 3
    """Evaluations on dev without a better score after which a run stops."""
    evaluations_per_epoch: int = 1
    head_weights: Mapping[str, float] = field(default_factory=lambda: {"names": 0.5})


def warmup_steps(plan: Plan, steps: int) -> int:
    """Return how many of a run's `steps` its warm-up takes: one at least."""
    return max(1, round(plan.warmup_share * steps))


def rate_at(step: int, steps: int, warmup: int, decay: Decay = "linear") -> float:
    """Return the share of the learning rate at `step`: a linear warm-up, then a decay to 0 at `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    left = max(0.0, (steps - step) / max(1, steps - warmup))
    return left if decay == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def best_of(scores: Sequence[float]) -> int:
    """Return the place of the best score; of equals the first."""
    return max(range(len(scores)), key=lambda number: scores[number])


def should_stop(scores: Sequence[float], patience: int) -> bool:
    """Return whether the last `patience` scores all failed to beat the best one before them."""
    return bool(scores) and len(scores) - 1 - best_of(scores) >= patience
