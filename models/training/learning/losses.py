"""What a step descends: the heads' cross entropies over the rows that carry their label."""

from collections.abc import Mapping

import torch
from torch import nn

from models.training.data.example import UNKNOWN
from models.training.encoder.tensors import Tensors

__all__ = ["hard_loss", "soft_loss"]


def hard_loss(
    logits: Mapping[str, torch.Tensor], wanted: Tensors, head_weights: Mapping[str, float], smoothing: float
) -> torch.Tensor:
    """Sums the heads' losses over a batch, divided by its rows.

    Dividing by all rows weighs every label the same, whatever mixture the batch drew. A text counts once for its
    names, however many words it has.
    """
    total = torch.zeros((), device=wanted.ids.device)
    for name, scores in logits.items():
        if name in wanted.labels:
            each = _cross_entropy(scores, wanted.labels[name], smoothing) * wanted.weights[name]
        elif name in wanted.entities:
            each = _cross_entropy(scores, wanted.entities[name].labels, smoothing) * wanted.entities[name].weights
        else:
            known = wanted.tags != UNKNOWN
            losses = _cross_entropy(scores.flatten(0, 1), wanted.tags.flatten(), 0.0).view_as(wanted.tags)
            each = losses.sum(dim=1) / known.sum(dim=1).clamp(min=1)
        total = total + head_weights.get(name, 1.0) * each.sum()
    return total / len(wanted.ids)


def soft_loss(
    logits: Mapping[str, torch.Tensor],
    batch: Tensors,
    head_weights: Mapping[str, float],
    temperature: float,
) -> torch.Tensor:
    """Cross entropy against the teachers' probabilities (Hinton et al. 2015, arXiv 1503.02531), by the batch's rows.

    `batch.soft` must have the same `temperature`, whose square keeps the gradient's size. What no teacher was
    asked about is zeros, and counts nothing.
    """
    total = torch.zeros((), device=batch.ids.device)
    for name, scores in logits.items():
        if name in batch.soft:
            wanted = batch.soft[name]
            each = -(wanted * torch.log_softmax(scores.float() / temperature, dim=-1)).sum(dim=-1)
            if each.ndim > 1:  # a text counts once for its words
                each = each.sum(dim=1) / (wanted.sum(dim=-1) > 0).sum(dim=1).clamp(min=1)
            total = total + head_weights.get(name, 1.0) * each.sum()
    return total * temperature**2 / len(batch.ids)


def _cross_entropy(scores: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    return nn.functional.cross_entropy(
        scores.float(), labels, ignore_index=UNKNOWN, label_smoothing=smoothing, reduction="none"
    )
