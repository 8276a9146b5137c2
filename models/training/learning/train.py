"""Fine-tune an encoder on all heads at once: what `moodwire model train` does."""

from collections.abc import Mapping
from typing import Any

import torch

from models.training.data.corpus import load_corpus
from models.training.encoder.tensors import Tensors
from models.training.learning.losses import hard_loss
from models.training.learning.plan import Plan
from models.training.learning.run import Listener, Run, Setup, encoded

__all__ = ["train"]


def train(
    setup: Setup, plan: Plan, *, stop_after: int | None = None, listen: Listener = lambda _: None
) -> dict[str, Any]:
    """Trains after `plan`, going on where an earlier call stopped, and returns the run's record.

    `stop_after` ends after so many steps, for a run that is to go on later. `listen` hears how far the run is after
    each evaluation and checkpoint; what it raises ends the run. Raises `TrainingError` when the folder
    holds a run of another plan.
    """
    run = Run.open(setup, plan)
    corpus = load_corpus(setup.sets, setup.data)
    rows, dev = encoded(setup.encoder, corpus, plan.max_tokens)

    def loss(logits: Mapping[str, torch.Tensor], batch: Tensors) -> torch.Tensor:
        return hard_loss(logits, batch, plan.head_weights, plan.label_smoothing)

    return run.train(corpus, rows, dev, loss, stop_after, listen)
