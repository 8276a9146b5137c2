"""The commands of training: the options that each takes, as data, and what it does with them.

    TrainOptions, DistilOptions, PretrainOptions, TuneOptions ─ from a command line, or decoded from JSON
    descriptions of data sets ────┐
                                  └─ train, distil, pretrain, tune ─> the record of the run; tune: the best settings

The options need no torch; what runs on them is imported by the call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from models.dataset import DataSet
from models.training.data.sources import Sources
from models.training.distillation.teaching import Teaching
from models.training.encoder.cache import find_encoder
from models.training.encoder.hardware import Hardware
from models.training.learning.plan import PRETRAINING, Plan
from models.training.options import HOW, group, option

__all__ = [
    "DistilOptions",
    "PretrainOptions",
    "Search",
    "TrainOptions",
    "TuneOptions",
    "distil",
    "pretrain",
    "train",
    "tune",
]

Record = dict[str, Any]

LARGE, SMALL = "all-mpnet-base-v2", "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """A run that learns from labels."""

    sources: Annotated[Sources, group(encoder=LARGE)]
    plan: Plan
    hardware: Hardware


@dataclass(frozen=True, slots=True)
class DistilOptions:
    """A student's run, which learns from labels and teachers."""

    sources: Annotated[Sources, group(encoder=SMALL)]
    teaching: Teaching
    plan: Annotated[Plan, group(without=("freeze_layers", "lora_rank"))]
    hardware: Hardware


@dataclass(frozen=True, slots=True)
class PretrainOptions:
    """A run that learns to predict hidden words."""

    sources: Annotated[Sources, group(encoder=SMALL)]
    plan: Annotated[
        Plan,
        group(
            without=("decay", "activation", "freeze_layers", "lora_rank"),
            batch_rows=PRETRAINING.batch_rows,
            learning_rate=PRETRAINING.learning_rate,
            head_learning_rate=PRETRAINING.head_learning_rate,
        ),
    ]
    hardware: Hardware


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for better settings tries."""

    trials: Annotated[int, option("Trials to add.", least=1)] = 20
    what: Annotated[str, option("Settings to try, separated by commas.", panel=HOW)] = (
        "learning_rate,head_learning_rate,label_smoothing,dropout,batch_rows"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The settings to try."""
        return tuple(name.strip() for name in self.what.split(",") if name.strip())


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """A search: many runs, each a trial."""

    sources: Annotated[Sources, group(encoder=SMALL)]
    search: Search
    plan: Annotated[
        Plan,
        group(without=("batch_rows", "max_tokens", "learning_rate", "decay", "activation", "lora_rank", "patience")),
    ]
    hardware: Annotated[Hardware, group(without=("checkpoint_minutes", "restart", "wandb"))]


def train(options: TrainOptions, sets: Sequence[DataSet]) -> Record:
    """Returns the record of the run; raises `TrainingError` as `learning.train.train` does."""
    from models.training.learning.train import train as run

    return run(_setup(options.sources, sets, options.hardware), options.plan)


def distil(options: DistilOptions, sets: Sequence[DataSet]) -> Record:
    """Returns the record of the student's run; raises `TrainingError` as `distillation.distil.distil` does."""
    from models.training.distillation.distil import distil as run

    teaching = options.teaching
    if teaching.rewriter is not None:
        teaching = replace(teaching, rewriter=find_encoder(str(teaching.rewriter)))
    return run(_setup(options.sources, sets, options.hardware), options.plan, teaching)


def pretrain(options: PretrainOptions, sets: Sequence[DataSet]) -> Record:
    """Returns the record of the run; raises `TrainingError` as `learning.pretrain.pretrain` does."""
    from models.training.learning.pretrain import pretrain as run

    return run(_setup(options.sources, sets, options.hardware), options.plan)


def tune(options: TuneOptions, sets: Sequence[DataSet]) -> Mapping[str, Any]:
    """Returns the best value found of each setting that was tried; raises `TrainingError` as `learning.tune` does."""
    from models.training.learning.train import train as run
    from models.training.learning.tune import tune as search

    hardware = replace(options.hardware, checkpoint_minutes=1e7, restart=True)

    def trial(plan: Plan, folder: Path, listen: Callable[[Any], None]) -> Record:
        return run(_setup(replace(options.sources, out=folder), sets, hardware), plan, listen=listen)

    names = options.search.names
    best = search(options.plan, trial, options.sources.out, trials=options.search.trials, names=names)
    return {name: getattr(best, name) for name in names}


def _setup(sources: Sources, sets: Sequence[DataSet], hardware: Hardware) -> Any:
    from models.training.learning.run import Setup

    return Setup(
        sets=sets,
        data=sources.data,
        encoder=find_encoder(sources.encoder),
        out=sources.out,
        device=hardware.device,
        precision=hardware.precision,
        threads=hardware.threads,
        checkpoint_seconds=60 * hardware.checkpoint_minutes,
        restart=hardware.restart,
        wandb_project=hardware.wandb,
    )
