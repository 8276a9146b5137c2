"""Look for a better plan: what `moodwire model tune` does.

Each trial is a run of its own, judged on dev after every evaluation; one that is worse than the median of those before
it at the same point is given up. The study is a file, so a search that was cut off goes on, and several processes may
share one.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.learning.resume import Progress

__all__ = ["SPACE", "Trainer", "suggested", "tune"]

Trainer = Callable[[Plan, Path, Callable[[Progress], None]], Mapping[str, Any]]
"""Trains after a plan in a folder, reports its progress, and returns the run's record."""

SPACE: Mapping[str, tuple[Any, ...]] = {
    "learning_rate": ("log", 2e-5, 3e-4),
    "head_learning_rate": ("log", 3e-4, 1e-2),
    "weight_decay": ("log", 1e-3, 1e-1),
    "warmup_share": ("even", 0.02, 0.2),
    "label_smoothing": ("even", 0.0, 0.15),
    "dropout": ("even", 0.0, 0.3),
    "batch_rows": ("one of", 16, 32, 64),
    "decay": ("one of", "linear", "cosine"),
}
"""What is tried of each part of a plan: a range, even or in logarithms, or one of some values."""


def tune(base: Plan, trainer: Trainer, folder: Path, *, trials: int, names: tuple[str, ...], seed: int = 7) -> Plan:
    """Tries `trials` plans more that differ from `base` in `names`, and returns the best of all in `folder`.

    Raises `TrainingError` for a name that `SPACE` does not have, and when no trial came to an end.
    """
    unknown = sorted(set(names) - set(SPACE))
    if unknown:
        raise TrainingError(f"cannot tune {', '.join(unknown)}; there are {', '.join(SPACE)}")
    study = open_study(folder, seed)
    if not study.trials:
        study.enqueue_trial({name: getattr(base, name) for name in names})
    study.optimize(lambda trial: _try(trial, base, trainer, folder, names), n_trials=trials)
    try:
        return replace(base, **study.best_params)
    except ValueError as error:
        raise TrainingError(f"no trial in {folder} came to an end; give it more trials or epochs") from error


def open_study(folder: Path, seed: int) -> optuna.Study:
    """Returns the study kept in `folder/study.db`, a new one when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name="plan",
        storage=f"sqlite:///{folder / 'study.db'}",
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
        direction="maximize",
        load_if_exists=True,
    )


def suggested(trial: optuna.Trial, base: Plan, names: tuple[str, ...]) -> Plan:
    """Returns the plan of a trial."""
    return replace(base, **{name: _suggest(trial, name) for name in names})


def _suggest(trial: optuna.Trial, name: str) -> Any:
    kind, *values = SPACE[name]
    if kind == "one of":
        return trial.suggest_categorical(name, values)
    return trial.suggest_float(name, *values, log=kind == "log")


def _try(trial: optuna.Trial, base: Plan, trainer: Trainer, folder: Path, names: tuple[str, ...]) -> float:
    plan = suggested(trial, base, names)
    reported = 0

    def listen(progress: Progress) -> None:
        nonlocal reported
        for number in range(reported, len(progress.scores)):
            trial.report(progress.scores[number], number)
        reported = len(progress.scores)
        if trial.should_prune():
            raise optuna.TrialPruned

    out = folder / f"trial-{trial.number}"
    try:
        return float(trainer(plan, out, listen)["best"]["score"])
    finally:
        (out / "resume.pt").unlink(missing_ok=True)  # it is as large as the network, and a trial is never resumed
