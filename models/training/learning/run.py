"""A run of training: it claims a folder, pursues an objective there, and keeps a record.

A run's folder holds `run.json` (plan, data sets, rows dropped, every evaluation), `best/` (the weights of the best
evaluation, their tokenizer and `heads.json`), `tensorboard/` and `resume.pt`. The same command again goes on.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import torch
from tokenizers import Tokenizer
from transformers.utils import logging as transformers_logging

from models.artifact import TOKENIZER
from models.dataset import DataSet
from models.training.data.batches import Encoded, encode
from models.training.data.corpus import Corpus
from models.training.encoder import network as networks
from models.training.encoder.device import Machine, chosen_device, chosen_precision
from models.training.encoder.frozen import FrozenLayers, freeze, keep_hidden_states
from models.training.encoder.hardware import Precision
from models.training.encoder.lora import add_adapters
from models.training.errors import TrainingError
from models.training.learning.loop import Loop
from models.training.learning.objective import Objective
from models.training.learning.plan import Plan, best_of
from models.training.learning.resume import Progress
from models.training.learning.supervised import Loss, Supervised
from models.training.reports.record import BEST, run_record, write_record
from models.training.reports.reporter import Reporter

__all__ = ["Listener", "Run", "Setup", "encoded", "named"]

Listener = Callable[[Progress], None]


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

    @property
    def encoder_name(self) -> str:
        """What the record calls the encoder."""
        return named(self.encoder)

    def machine(self) -> Machine:
        """Returns where the run computes."""
        device = chosen_device(self.device)
        return Machine(device, chosen_precision(self.precision, device), self.checkpoint_seconds)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has claimed its folder: what `train`, `distil` and `pretrain` share."""

    setup: Setup
    plan: Plan
    about: Mapping[str, Any]
    machine: Machine
    reporter: Reporter

    @classmethod
    def open(cls, setup: Setup, plan: Plan, about: Mapping[str, Any] | None = None) -> Self:
        """Claims the folder `setup.out`; `about` is what else decides the result, kept in the record.

        Raises `TrainingError` when the folder holds another run.
        """
        if setup.threads:
            torch.set_num_threads(setup.threads)
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        torch.manual_seed(plan.seed)
        _claim(setup, plan, about or {})
        reporter = Reporter(setup.out, wandb_project=setup.wandb_project, quiet=setup.quiet)
        return cls(setup, plan, about or {}, setup.machine(), reporter)

    def train(
        self,
        corpus: Corpus,
        rows: list[Encoded],
        dev: list[Encoded],
        loss: Loss,
        stop_after: int | None = None,
        listen: Listener = lambda _: None,
    ) -> dict[str, Any]:
        """Trains heads on `rows` to the end, or for `stop_after` steps more, and returns the record."""

        def supervised() -> Supervised:
            network = _fresh_network(self.setup, self.plan, corpus).to(self.machine.device)
            frozen = frozen_layers(network, [*rows, *dev], self.plan, self.setup.out, self.machine, self.reporter)
            return Supervised(network, rows, dev, plan=self.plan, loss=loss, machine=self.machine, frozen=frozen)

        record = self.learn(corpus, rows, dev, supervised, f"heads: {', '.join(corpus.heads)}", stop_after, listen)
        if record["finished"]:
            for path in self.setup.out.glob("hidden-*.f16"):  # two bytes a number, and no longer read
                path.unlink()
        return record

    def learn(
        self,
        corpus: Corpus,
        rows: list[Encoded],
        dev: list[Encoded],
        objective: Callable[[], Objective],
        what: str,
        stop_after: int | None = None,
        listen: Listener = lambda _: None,
    ) -> dict[str, Any]:
        """Pursues the objective on `rows` to the end, or for `stop_after` steps more, and returns the record.

        `what` says in a few words what is learnt.
        """
        setup, reporter = self.setup, self.reporter
        done = run_record(setup.out)
        if done is not None and done["finished"]:
            reporter.say(f"{setup.out} holds this run, finished; begin anew with --restart")
            return done
        for line in [*corpus.warnings(), *_taught_before(setup)]:
            reporter.say(line)
        reporter.say(f"{len(rows):,} texts to train on, {len(dev):,} for dev; {what}")
        pursued = objective()
        (setup.out / BEST).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(setup.encoder / TOKENIZER, setup.out / BEST / TOKENIZER)

        def kept(progress: Progress) -> None:
            self._record(corpus, rows, dev, progress)
            listen(progress)

        loop = Loop(pursued, plan=self.plan, machine=self.machine, out=setup.out, reporter=reporter, kept=kept)
        loop.run(stop_after)
        reporter.close()
        return run_record(setup.out) or {}

    def _record(self, corpus: Corpus, rows: Sequence[Encoded], dev: Sequence[Encoded], progress: Progress) -> None:
        record = {
            "plan": asdict(self.plan),
            "encoder": self.setup.encoder_name,
            "datasets": [msgspec.to_builtins(one) for one in self.setup.sets],
            "rows": len(rows),
            "dev_rows": len(dev),
            "dropped": {name: asdict(one) for name, one in corpus.dropped.items()},
            **({"teaching": self.about} if self.about else {}),
            "step": progress.step,
            "spent_seconds": round(progress.spent_seconds, 1),
            "finished": progress.finished,
            "best": progress.evaluations[best_of(progress.scores)] if progress.scores else None,
            "evaluations": list(progress.evaluations),
        }
        write_record(self.setup.out, record)


def encoded(encoder: Path, corpus: Corpus, max_tokens: int) -> tuple[list[Encoded], list[Encoded]]:
    """Returns the train and the dev rows as tokens, numbered through."""
    tokenizer = Tokenizer.from_file(str(encoder / TOKENIZER))
    rows = encode(tokenizer, [*corpus.train, *corpus.dev], max_tokens)
    return rows[: len(corpus.train)], rows[len(corpus.train) :]


def named(encoder: Path) -> str:
    """Returns an encoder's name: its folder's, or that of the run which trained it."""
    return encoder.parent.name if encoder.name == BEST else encoder.name


def _taught_before(setup: Setup) -> Iterator[str]:
    """Yields a line if the network to continue from has learnt data that this run does not compare with the tests."""
    record = run_record(setup.encoder.parent) if setup.encoder.name == BEST else None
    known = [msgspec.json.decode(msgspec.json.encode(one)) for one in setup.sets]  # as the record has them
    others = [one["name"] for one in (record or {}).get("datasets", ()) if one not in known]
    if others:
        yield (
            f"LEAK? {setup.encoder_name} has learnt {', '.join(others)} as it was described then; whether that held "
            "texts of the test files here is not known"
        )


def _fresh_network(setup: Setup, plan: Plan, corpus: Corpus) -> networks.HeadedEncoder:
    return networks.from_pretrained(setup.encoder, corpus.heads, dropout=plan.dropout, activation=plan.activation)


def frozen_layers(
    network: networks.HeadedEncoder,
    rows: Sequence[Encoded],
    plan: Plan,
    out: Path,
    machine: Machine,
    reporter: Reporter,
) -> FrozenLayers | None:
    """Freezes what the plan says, and runs the frozen layers over all `rows` once; None without frozen layers."""
    if plan.lora_rank:
        add_adapters(network, plan.lora_rank, plan.dropout)
    freeze(network, plan.freeze_layers, embeddings=plan.freeze_embeddings)
    if not plan.freeze_layers:
        return None
    with reporter.bar(f"the lowest {plan.freeze_layers} layers, once: texts", len(rows)) as advance:
        return keep_hidden_states(
            network, rows, plan.freeze_layers, out, machine.device, lambda more: advance(more, "")
        )


def _claim(setup: Setup, plan: Plan, about: Mapping[str, Any]) -> None:
    """Makes the folder this run's: empty with `restart`, else a run of the same plan or none."""
    if setup.restart:
        for path in (setup.out / "resume.pt", setup.out / "run.json"):
            path.unlink(missing_ok=True)
    record = run_record(setup.out)
    if record is None:
        setup.out.mkdir(parents=True, exist_ok=True)
        return
    wanted, held = asdict(plan), asdict(Plan()) | record["plan"]  # what an older plan did not name was as it is now
    changed = sorted(name for name in wanted if held[name] != wanted[name])
    known = record.get("teaching", {})
    changed += sorted(name for name in {*about, *known} if about.get(name) != known.get(name))
    if changed or record["encoder"] != setup.encoder_name:
        what = ", ".join(changed) or f"encoder ({record['encoder']})"
        raise TrainingError(
            f"{setup.out} holds a run with another {what}; train into another folder, or begin anew with --restart"
        )
