"""What decides a run's result, and the plain rules that follow from it: rates, and when to stop."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from models.training.options import HOW, option

__all__ = ["PRETRAINING", "Plan", "best_of", "rate_at", "should_stop", "warmup_steps"]

Decay = Literal["linear", "cosine"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Written beside a run's weights; a run is resumed under the same plan or not at all."""

    epochs: Annotated[int, option("Passes over all texts.", panel=HOW, least=1)] = 3
    batch_rows: Annotated[int, option("Texts per step.", panel=HOW, least=1)] = 32
    max_tokens: Annotated[int, option("Tokens kept of a text.", panel=HOW, least=8)] = 96
    learning_rate: Annotated[float, option("Peak learning rate of the encoder.", panel=HOW)] = 1e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    decay: Annotated[Decay, option("How the rate falls after warm-up: linear or cosine.", panel=HOW)] = "linear"
    label_smoothing: float = 0.05
    clip_norm: float = 1.0
    dropout: float = 0.1
    activation: Annotated[
        str, option("Activation in place of the encoder's own; relu makes the int8 network faster.", panel=HOW)
    ] = ""
    """Between the encoder's feed-forward layers; "" leaves it its own."""
    freeze_layers: Annotated[
        int, option("Number of lowest layers that do not learn; they run only once.", panel=HOW, least=0)
    ] = 0
    """They keep the encoder's weights, and so do the embeddings; their output is kept on disk."""
    freeze_embeddings: bool = True
    """Words that the training texts lack would else drift away from those that they hold."""
    lora_rank: Annotated[
        int, option("Train adapters of this rank instead of the encoder; 0: none.", panel=HOW, least=0)
    ] = 0
    evaluations_per_epoch: Annotated[
        int, option("Evaluations on dev per epoch.", "--evaluations", panel=HOW, least=1)
    ] = 1
    patience: Annotated[int, option("Evaluations without a better score after which training stops.", panel=HOW)] = 3
    seed: Annotated[int, option("Seed of everything drawn at random.", panel=HOW)] = 7
    head_weights: Mapping[str, float] = field(default_factory=lambda: {"names": 0.5})


PRETRAINING = Plan(batch_rows=64, learning_rate=2e-4, head_learning_rate=6e-4)
"""For an encoder that learns to predict hidden words; tried with one of 6 layers."""


def warmup_steps(plan: Plan, steps: int) -> int:
    """Returns how many of a run's `steps` its warm-up takes: one at least."""
    return max(1, round(plan.warmup_share * steps))


def rate_at(step: int, steps: int, warmup: int, decay: Decay = "linear") -> float:
    """Returns the share of the learning rate at `step`: a linear warm-up, then a decay to 0 at `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    left = max(0.0, (steps - step) / max(1, steps - warmup))
    return left if decay == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def best_of(scores: Sequence[float]) -> int:
    """Returns the place of the best score; of equals the first."""
    return max(range(len(scores)), key=lambda number: scores[number])


def should_stop(scores: Sequence[float], patience: int) -> bool:
    """Returns whether the last `patience` scores all failed to beat the best one before them."""
    return bool(scores) and len(scores) - 1 - best_of(scores) >= patience
