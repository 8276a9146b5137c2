"""The loop: steps over bucketed batches, evaluations on dev, checkpoints by the clock."""

import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from models.training.data.batches import Batch, bucketed
from models.training.encoder.device import Machine, autocast
from models.training.learning.objective import Objective
from models.training.learning.plan import Plan, best_of, rate_at, should_stop, warmup_steps
from models.training.learning.resume import Progress, read_checkpoint, write_checkpoint
from models.training.learning.stopping import asked_to_stop
from models.training.reports.record import BEST
from models.training.reports.reporter import Reporter

__all__ = ["Loop"]


class Loop:
    """One run in the folder `out`, from its last checkpoint to its end."""

    def __init__(
        self,
        objective: Objective,
        *,
        plan: Plan,
        machine: Machine,
        out: Path,
        reporter: Reporter,
        kept: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.objective = objective
        self.plan, self.machine, self.out = plan, machine, out
        self.reporter, self.kept = reporter, kept
        self.steps_per_epoch = math.ceil(len(objective.rows) / plan.batch_rows)
        self.steps = plan.epochs * self.steps_per_epoch
        self.optimiser = _optimiser(objective, plan, self.steps)
        self.progress = read_checkpoint(out, self._trained(), self.optimiser)

    def run(self, stop_after: int | None = None) -> Progress:
        """Trains to the end, or for `stop_after` steps more, and returns how far it is.

        Raises `KeyboardInterrupt` after a checkpoint when the process was asked to stop.
        """
        last = self.steps if stop_after is None else min(self.steps, self.progress.step + stop_after)
        saved = time.monotonic()
        with asked_to_stop() as stopped, self.reporter.bar("training step", self.steps, self.progress.step) as advance:
            for batch in self._remaining():
                if self.progress.finished or self.progress.step >= last or stopped():
                    break
                self._advance(batch, advance)
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

    def _advance(self, batch: Batch, advance: Callable[[int, str], None]) -> None:
        started = time.monotonic()
        loss = self._step(batch)
        self.progress.step += 1
        self.progress.spent_seconds += time.monotonic() - started
        advance(1, f"loss {loss:.3f}")
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
        order = list(bucketed([len(row.ids) for row in self.objective.rows], self.plan.batch_rows, chance))[done:]
        rows: Any = self.objective.rows
        return iter(DataLoader(rows, batch_sampler=order, collate_fn=self.objective.collate))

    def _step(self, batch: Batch) -> float:
        step, plan = self.progress.step, self.plan
        torch.manual_seed(plan.seed * 1_000_003 + step)
        for group in self.optimiser.param_groups:
            start = group.get("start", 0)  # a checkpoint of an older version names none
            group["lr"] = group["full_rate"] * self._share(step, start)
        self.objective.network.train()
        with autocast(self.machine.precision, self.machine.device):
            loss = self.objective.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._trained().values(), plan.clip_norm)
        self.optimiser.step()
        value = float(loss.detach())
        if step % 10 == 0:
            share = self._share(step, 0)
            self.reporter.curve({"train/loss": value, "train/rate": share, "train/gradient_norm": float(norm)}, step)
        return value

    def _share(self, step: int, start: int) -> float:
        """The share of the rate at `step` for what learns from `start` on."""
        if step < start:
            return 0.0
        return rate_at(step - start, self.steps - start, warmup_steps(self.plan, self.steps), self.plan.decay)

    def _evaluation_due(self) -> bool:
        every = math.ceil(self.steps_per_epoch / self.plan.evaluations_per_epoch)
        within = self.progress.step % self.steps_per_epoch
        return within == 0 or (within % every == 0 and self.steps_per_epoch - within > every // 2)

    def _evaluate(self) -> None:
        found, step = self.objective.evaluate(), self.progress.step
        self.progress.evaluations.append({"step": step, "score": found.score, **found.kept})
        self.progress.scores.append(found.score)
        self.reporter.curve(found.curves, step)
        self.reporter.say(f"dev at step {step:,}: {found.line}")
        if best_of(self.progress.scores) == len(self.progress.scores) - 1:
            self.objective.save(self.out / BEST)
        if should_stop(self.progress.scores, self.plan.patience):
            self.reporter.say(f"no better for {self.plan.patience} evaluations: stopped early")
            self.progress.finished = True

    def _save(self) -> None:
        write_checkpoint(self.out, self._trained(), self.optimiser, self.progress)
        self.kept(self.progress)

    def _trained(self) -> dict[str, torch.Tensor]:
        return {name: one for name, one in self.objective.network.named_parameters() if one.requires_grad}


def _optimiser(objective: Objective, plan: Plan, steps: int) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), with a rate of its own for what is fresh.

    Biases and norms are not decayed. A group's `full_rate` is what its rate is a share of, from the step `start` on.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in objective.network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((objective.fresh(name), parameter.ndim > 1), []).append(parameter)
    made = []
    for (fresh, matrix), parameters in groups.items():
        rate = plan.head_learning_rate if fresh else plan.learning_rate
        decay = plan.weight_decay if matrix else 0.0
        start = warmup_steps(plan, steps) if objective.fresh_first and not fresh else 0
        made.append({"params": parameters, "lr": rate, "full_rate": rate, "weight_decay": decay, "start": start})
    return torch.optim.AdamW(made, fused=True)
