"""The loop: steps over bucketed batches, evaluations on dev, checkpoints by the clock."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import nn
from torch.utils.data import DataLoader

from models.training import network as networks
from models.training.batches import Batch, Encoded, bucketed, collate
from models.training.device import autocast
from models.training.frozen import FrozenLayers
from models.training.lora import folded
from models.training.measure import HeadFigures, Ints, choice_score, figures, joined
from models.training.plan import Plan, rate_at, should_stop
from models.training.resume import Progress, read_checkpoint, write_checkpoint
from models.training.stopping import asked_to_stop
from models.training.tensors import Tensors, to_tensors
from models.training.told import Reporter

__all__ = ["BEST", "Loop", "Loss", "Machine", "evaluate", "optimiser_for", "predictions"]

BEST = "best"
"""The folder in a run that holds the weights of its best evaluation."""

EVALUATION_ROWS = 64


class Loss(Protocol):
    """What a step descends, from the network's logits by head and the batch."""

    def __call__(self, logits: Mapping[str, torch.Tensor], batch: Tensors) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how a run computes; it moves speed, and the result within rounding."""

    device: torch.device
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_seconds: float = 300.0


class Loop:
    """One run in the folder `out`, from its last checkpoint to its end."""

    def __init__(
        self,
        network: networks.HeadedEncoder,
        train: Sequence[Encoded],
        dev: Sequence[Encoded],
        *,
        plan: Plan,
        loss: Loss,
        machine: Machine,
        out: Path,
        reporter: Reporter,
        frozen: FrozenLayers | None = None,
        kept: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.network, self.train_rows, self.dev_rows = network, train, dev
        self.plan, self.loss, self.machine, self.out = plan, loss, machine, out
        self.reporter, self.frozen, self.kept = reporter, frozen, kept
        self.optimiser = optimiser_for(network, plan)
        self.steps_per_epoch = math.ceil(len(train) / plan.batch_rows)
        self.steps = plan.epochs * self.steps_per_epoch
        self.progress = read_checkpoint(out, self._trained(), self.optimiser)

    def run(self, stop_after: int | None = None) -> Progress:
        """Train to the end, or for `stop_after` steps more, and return how far it is.

        Raises `KeyboardInterrupt` after a checkpoint when the process was asked to stop.
        """
        last = self.steps if stop_after is None else min(self.steps, self.progress.step + stop_after)
        saved = time.monotonic()
        with asked_to_stop() as stopped, self.reporter.bar("training step", self.steps, self.progress.step) as told:
            for batch in self._remaining():
                if self.progress.finished or self.progress.step >= last or stopped():
                    break
                self._advance(batch, told)
                if time.monotonic() - saved > self.machine.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
            interrupted = stopped()
        self.progress.finished = self.progress.finished or self.progress.step >= self.steps
        self._save()
        if interrupted and not self.progress.finished:
            self.reporter.say(f"stopped at step {self.progress.step:,}; the same command goes on")
            raise KeyboardInterrupt
        return self.progress

    def _advance(self, batch: Batch, told: Callable[[int, str], None]) -> None:
        started = time.monotonic()
        loss = self._step(to_tensors(batch, self.machine.device))
        self.progress.step += 1
        self.progress.spent_seconds += time.monotonic() - started
        told(1, f"loss {loss:.3f}")
        if self._evaluation_due():
            self._evaluate()
            self.kept(self.progress)

    def _remaining(self) -> Iterator[Batch]:
        while self.progress.step < self.steps:
            yield from self._batches(self.progress.step)

    def _batches(self, step: int) -> Iterator[Batch]:
        """The batches of the epoch that `step` falls into, from `step` on."""
        epoch, done = divmod(step, self.steps_per_epoch)
        chance = random.Random(f"{self.plan.seed} {epoch}")
        order = list(bucketed([len(row.ids) for row in self.train_rows], self.plan.batch_rows, chance))[done:]
        return iter(DataLoader(self.train_rows, batch_sampler=order, collate_fn=self._collate))

    def _collate(self, rows: Sequence[Encoded]) -> Batch:
        return collate(rows, self.network.specs, networks.pad_token(self.network))

    def _step(self, batch: Tensors) -> float:
        step, plan = self.progress.step, self.plan
        torch.manual_seed(plan.seed * 1_000_003 + step)
        share = rate_at(step, self.steps, max(1, round(plan.warmup_share * self.steps)), plan.decay)
        for group in self.optimiser.param_groups:
            group["lr"] = share * group["full_rate"]
        self.network.train()
        with autocast(self.machine.precision, self.machine.device):
            loss = self.loss(_forward(self.network, batch, self.frozen, self.machine.device), batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._trained().values(), plan.clip_norm)
        self.optimiser.step()
        value = float(loss.detach())
        if step % 10 == 0:
            self.reporter.curve({"train/loss": value, "train/rate": share, "train/gradient_norm": float(norm)}, step)
        return value

    def _evaluation_due(self) -> bool:
        every = math.ceil(self.steps_per_epoch / self.plan.evaluations_per_epoch)
        within = self.progress.step % self.steps_per_epoch
        return within == 0 or (within % every == 0 and self.steps_per_epoch - within > every // 2)

    def _evaluate(self) -> None:
        found = evaluate(self.network, self.dev_rows, self.machine, self.frozen)
        score, step = choice_score(found), self.progress.step
        heads = {name: asdict(one) for name, one in found.items()}
        self.progress.evaluations.append({"step": step, "score": score, "heads": heads})
        self.progress.scores.append(score)
        self.reporter.curve({f"dev/{name}/accuracy": one.accuracy for name, one in found.items()}, step)
        self.reporter.curve({f"dev/{name}/macro_f1": one.macro_f1 for name, one in found.items()}, step)
        shown = ", ".join(f"{name} {one.accuracy:.4f} / {one.macro_f1:.4f}" for name, one in found.items())
        self.reporter.say(f"dev at step {step:,}: score {score:.4f}; accuracy / macro-F1: {shown}")
        if score >= max(self.progress.scores):
            self._save_best()
        if should_stop(self.progress.scores, self.plan.patience):
            self.reporter.say(f"no better for {self.plan.patience} evaluations: stopped early")
            self.progress.finished = True

    def _save(self) -> None:
        write_checkpoint(self.out, self._trained(), self.optimiser, self.progress)
        self.kept(self.progress)

    def _trained(self) -> dict[str, torch.Tensor]:
        return {name: one for name, one in self.network.named_parameters() if one.requires_grad}

    def _save_best(self) -> None:
        """Write the network whole: its frozen layers back in their place, its adapters folded in."""
        if self.frozen is not None:
            self.frozen.put_back()
        networks.save(folded(self.network) if self.plan.lora_rank else self.network, self.out / BEST)
        if self.frozen is not None:
            self.frozen.take_out()


def optimiser_for(network: networks.HeadedEncoder, plan: Plan) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), with a rate of its own for the fresh heads.

    Biases and norms are not decayed.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("heads."), parameter.ndim > 1), []).append(parameter)
    made = []
    for (fresh, matrix), parameters in groups.items():
        rate = plan.head_learning_rate if fresh else plan.learning_rate
        decay = plan.weight_decay if matrix else 0.0
        made.append({"params": parameters, "lr": rate, "full_rate": rate, "weight_decay": decay})
    return torch.optim.AdamW(made, fused=True)


def evaluate(
    network: networks.HeadedEncoder, rows: Sequence[Encoded], machine: Machine, frozen: FrozenLayers | None = None
) -> dict[str, HeadFigures]:
    """Return each head's figures over `rows`; the names head counts words."""
    parts: dict[str, list[tuple[Ints, Ints]]] = {name: [] for name in network.specs}
    for batch, logits in predictions(network, rows, machine, frozen):
        for name, scores in logits.items():
            given, wanted = scores.argmax(-1), batch.wanted(name)
            parts[name].append((given.flatten().cpu().numpy(), wanted.flatten().cpu().numpy()))
    return {name: figures(*joined(parts[name]), len(one.labels)) for name, one in network.specs.items()}


@torch.no_grad()
def predictions(
    network: networks.HeadedEncoder, rows: Sequence[Encoded], machine: Machine, frozen: FrozenLayers | None = None
) -> Iterator[tuple[Tensors, dict[str, torch.Tensor]]]:
    """Yield batches of `rows`, shortest first, with the logits of each head."""
    network.eval()
    for numbers in bucketed([len(row.ids) for row in rows], EVALUATION_ROWS, None):
        chosen = [rows[number] for number in numbers]
        batch = to_tensors(collate(chosen, network.specs, networks.pad_token(network)), machine.device)
        with autocast(machine.precision, machine.device):
            logits = _forward(network, batch, frozen, machine.device)
        yield batch, {name: scores.float() for name, scores in logits.items()}


def _forward(
    network: networks.HeadedEncoder, batch: Tensors, frozen: FrozenLayers | None, device: torch.device
) -> dict[str, torch.Tensor]:
    if frozen is not None:
        frozen.prepare(batch.numbers, device)
    return network(batch.ids, batch.mask, batch.spans)
