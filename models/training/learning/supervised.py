"""The objective of `moodwire model train` and `distil`: a network's heads answer as labels and teachers do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch

from models.training.data.batches import Batch, Encoded, bucketed, collate
from models.training.encoder import network as networks
from models.training.encoder.device import EVALUATION_ROWS, Machine, autocast
from models.training.encoder.frozen import FrozenLayers
from models.training.encoder.lora import folded
from models.training.encoder.tensors import Tensors, to_tensors
from models.training.learning.measure import HeadFigures, Ints, choice_score, figures, joined
from models.training.learning.objective import Figures
from models.training.learning.plan import Plan

__all__ = ["Loss", "Supervised"]


class Loss(Protocol):
    """What a step descends, from the network's logits by head and the batch."""

    def __call__(self, logits: Mapping[str, torch.Tensor], batch: Tensors) -> torch.Tensor: ...


class Supervised:
    """An `objective.Objective`; with `frozen`, the layers that it replaces are out of the network."""

    fresh_first = False

    def __init__(
        self,
        network: networks.HeadedEncoder,
        rows: Sequence[Encoded],
        dev: Sequence[Encoded],
        *,
        plan: Plan,
        loss: Loss,
        machine: Machine,
        frozen: FrozenLayers | None = None,
    ) -> None:
        self.network, self.rows, self.dev = network, rows, dev
        self.plan, self.machine, self.frozen = plan, machine, frozen
        self._loss = loss

    def fresh(self, name: str) -> bool:
        """Returns whether the weight `name` is a head's."""
        return name.startswith("heads.")

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """Returns rows as a batch."""
        return collate(rows, self.network.specs, networks.pad_token(self.network))

    def loss(self, batch: Batch) -> torch.Tensor:
        """Returns what a step descends."""
        tensors = to_tensors(batch, self.machine.device)
        return self._loss(self._forward(tensors), tensors)

    def evaluate(self) -> Figures:
        """Returns each head's figures on dev."""
        found = self._by_head()
        score = choice_score(found)
        curves = {f"dev/{name}/accuracy": one.accuracy for name, one in found.items()}
        curves |= {f"dev/{name}/macro_f1": one.macro_f1 for name, one in found.items()}
        shown = ", ".join(f"{name} {one.accuracy:.4f} / {one.macro_f1:.4f}" for name, one in found.items())
        kept = {"heads": {name: asdict(one) for name, one in found.items()}}
        return Figures(score, kept, curves, f"score {score:.4f}; accuracy / macro-F1: {shown}")

    def save(self, folder: Path) -> None:
        """Writes the network whole: its frozen layers back in their place, its adapters folded in."""
        if self.frozen is not None:
            self.frozen.put_back()
        networks.save(folded(self.network) if self.plan.lora_rank else self.network, folder)
        if self.frozen is not None:
            self.frozen.take_out()

    def _by_head(self) -> dict[str, HeadFigures]:
        """Each head's figures; the names head counts words."""
        parts: dict[str, list[tuple[Ints, Ints]]] = {name: [] for name in self.network.specs}
        for batch, logits in self._predictions():
            for name, scores in logits.items():
                given, wanted = scores.argmax(-1), batch.wanted(name)
                parts[name].append((given.flatten().cpu().numpy(), wanted.flatten().cpu().numpy()))
        return {name: figures(*joined(parts[name]), len(one.labels)) for name, one in self.network.specs.items()}

    @torch.no_grad()
    def _predictions(self) -> Iterator[tuple[Tensors, dict[str, torch.Tensor]]]:
        """Yields batches of the dev rows, shortest first, with the logits of each head."""
        self.network.eval()
        for numbers in bucketed([len(row.ids) for row in self.dev], EVALUATION_ROWS, None):
            batch = to_tensors(self.collate([self.dev[number] for number in numbers]), self.machine.device)
            with autocast(self.machine.precision, self.machine.device):
                logits = self._forward(batch)
            yield batch, {name: scores.float() for name, scores in logits.items()}

    def _forward(self, batch: Tensors) -> dict[str, torch.Tensor]:
        if self.frozen is not None:
            self.frozen.prepare(batch.numbers, self.machine.device)
        return self.network(batch.ids, batch.mask, batch.spans)
