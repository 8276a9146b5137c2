"""Fine-tune an encoder on all heads at once: what `moodwire model train` does.

A run's folder holds `run.json` (plan, data sets, rows dropped, every evaluation), `best/` (the weights of the best
evaluation, their tokenizer and `heads.json`), `tensorboard/` and `resume.pt`. The same command again goes on.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from models.training import network as networks
from models.training.batches import Encoded, encode
from models.training.corpus import Corpus, load_corpus
from models.training.dataset import DataSet
from models.training.device import Precision, chosen_device, chosen_precision
from models.training.errors import TrainingError
from models.training.frozen import FrozenLayers, freeze, keep_hidden_states
from models.training.loop import BEST, Loop, Machine
from models.training.losses import hard_loss
from models.training.plan import Plan, best_of
from models.training.resume import Progress, run_record, write_record
from models.training.told import Reporter

__all__ = ["Setup", "train"]

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run works with. Nothing here is meant to change its result but `data`, `sets` and `encoder`."""

    sets: Sequence[DataSet]
    data: Path
    encoder: Path
    out: Path
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    checkpoint_seconds: float = 300.0
    restart: bool = False
    wandb_project: str = ""
    quiet: bool = False

    def machine(self) -> Machine:
        """Return where the run computes."""
        device = chosen_device(self.device)
        return Machine(device, chosen_precision(self.precision, device), self.checkpoint_seconds)


def train(setup: Setup, plan: Plan, *, stop_after: int | None = None) -> dict[str, Any]:
    """Train after `plan`, going on where an earlier call stopped, and return the run's record.

    `stop_after` ends after so many steps, for a run that is to go on later. Raises `TrainingError` when the folder
    holds a run of another plan.
    """
    if setup.threads:
        torch.set_num_threads(setup.threads)
    torch.manual_seed(plan.seed)
    _claim(setup, plan)
    machine, reporter = setup.machine(), Reporter(setup.out, wandb_project=setup.wandb_project, quiet=setup.quiet)
    corpus = load_corpus(setup.sets, setup.data)
    for line in corpus.warnings():
        reporter.say(line)
    rows, dev = encoded(setup.encoder, corpus, plan.max_tokens)
    reporter.say(f"{len(rows):,} texts to train on, {len(dev):,} for dev; heads: {', '.join(corpus.heads)}")
    network = networks.from_pretrained(setup.encoder, corpus.heads, dropout=plan.dropout).to(machine.device)
    frozen = frozen_layers(network, [*rows, *dev], plan, setup.out, machine, reporter)
    described = {"rows": len(rows), "dev_rows": len(dev), "dropped": {k: asdict(v) for k, v in corpus.dropped.items()}}
    loop = Loop(
        network,
        rows,
        dev,
        plan=plan,
        loss=partial(_loss, head_weights=plan.head_weights, smoothing=plan.label_smoothing),
        machine=machine,
        out=setup.out,
        reporter=reporter,
        frozen=frozen,
        kept=recorder(setup, plan, described),
    )
    (setup.out / BEST).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(setup.encoder / TOKENIZER, setup.out / BEST / TOKENIZER)
    loop.run(stop_after)
    reporter.close()
    return run_record(setup.out) or {}


def encoded(encoder: Path, corpus: Corpus, max_tokens: int) -> tuple[list[Encoded], list[Encoded]]:
    """Return the train and the dev rows as tokens, numbered through."""
    tokenizer = Tokenizer.from_file(str(encoder / TOKENIZER))
    rows = encode(tokenizer, [*corpus.train, *corpus.dev], max_tokens)
    return rows[: len(corpus.train)], rows[len(corpus.train) :]


def frozen_layers(
    network: networks.HeadedEncoder,
    rows: Sequence[Encoded],
    plan: Plan,
    out: Path,
    machine: Machine,
    reporter: Reporter,
) -> FrozenLayers | None:
    """Freeze what the plan says, and run the frozen layers over all `rows` once; None without frozen layers."""
    freeze(network, plan.freeze_layers, embeddings=plan.freeze_embeddings)
    if not plan.freeze_layers:
        return None
    with reporter.bar(f"the lowest {plan.freeze_layers} layers, once: texts", len(rows)) as told:
        return keep_hidden_states(network, rows, plan.freeze_layers, out, machine.device, lambda more: told(more, ""))


def recorder(setup: Setup, plan: Plan, described: Mapping[str, Any]) -> Callable[[Progress], None]:
    """Return a function that writes `run.json` for a run at some point."""

    def write(progress: Progress) -> None:
        best = progress.evaluations[best_of(progress.scores)] if progress.scores else None
        write_record(
            setup.out,
            {
                "plan": asdict(plan),
                "encoder": setup.encoder.name,
                "datasets": [one.model_dump() for one in setup.sets],
                **described,
                "step": progress.step,
                "spent_seconds": round(progress.spent_seconds, 1),
                "finished": progress.finished,
                "best": best,
                "evaluations": list(progress.evaluations),
            },
        )

    return write


def _loss(logits: Any, batch: Any, *, head_weights: Mapping[str, float], smoothing: float) -> torch.Tensor:
    return hard_loss(logits, batch, head_weights, smoothing)


def _claim(setup: Setup, plan: Plan) -> None:
    """Make the folder this run's: empty with `restart`, else a run of the same plan or none."""
    if setup.restart:
        for path in (setup.out / "resume.pt", setup.out / "run.json"):
            path.unlink(missing_ok=True)
    record = run_record(setup.out)
    if record is None:
        setup.out.mkdir(parents=True, exist_ok=True)
        return
    wanted = asdict(plan)
    changed = sorted(name for name in wanted if record["plan"].get(name) != wanted[name])
    if changed or record["encoder"] != setup.encoder.name:
        what = ", ".join(changed) or f"encoder ({record['encoder']})"
        raise TrainingError(
            f"{setup.out} holds a run with another {what}; train into another folder, or begin anew with --restart"
        )
