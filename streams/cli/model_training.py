"""The commands of `moodwire model` that train, tune and distil, with the options of `models.training.commands`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from streams.cli.derived import command_of
from streams.cli.output import console, foreign, print_json
from streams.lifecycle.training_code import chosen_datasets, import_training, training_packages

__all__ = ["distil", "pretrain", "train", "tune"]

Record = dict[str, Any]

_code = import_training("commands")


def _run(name: str, options: Any) -> Any:
    """Training code loads its packages when it is called."""
    with training_packages():
        return getattr(_code, name)(options, chosen_datasets(options.sources.dataset))


def _train(options: Any, *, json: bool) -> None:
    _show(_run("train", options), options.sources.out, _scored, json=json)


def _distil(options: Any, *, json: bool) -> None:
    _show(_run("distil", options), options.sources.out, _scored, json=json)


def _pretrain(options: Any, *, json: bool) -> None:
    _show(_run("pretrain", options), options.sources.out, _guessed, json=json)


def _tune(options: Any, *, json: bool) -> None:
    found = _run("tune", options)
    if json:
        print_json(found)
        return
    console.print("best so far:", highlight=False)
    for name, value in found.items():
        shown = f"{value:.4g}" if isinstance(value, float) else foreign(value)
        console.print(f"  {name} {shown}", highlight=False)


train = command_of(_code.TrainOptions, _train)
distil = command_of(_code.DistilOptions, _distil)
pretrain = command_of(_code.PretrainOptions, _pretrain)
tune = command_of(_code.TuneOptions, _tune)


def _show(record: Record, out: Path, quality: Callable[[Record], str], *, json: bool) -> None:
    """Shows a run's record; `quality` says how good its best evaluation was."""
    best = record["best"]
    if json:
        print_json(record)
    elif best is None:
        console.print("not evaluated yet; run the same command again to resume", highlight=False)
    else:
        line = f"{foreign(out / 'best')}: step {best['step']:,}, {quality(best)}"
        console.print(line, highlight=False, soft_wrap=True)


def _scored(best: Record) -> str:
    """Shows a table of the heads, and returns the score."""
    table = Table("head", "dev rows", "accuracy", "macro-F1", header_style="bold")
    for name, one in best["heads"].items():
        table.add_row(foreign(name), f"{one['rows']:,}", f"{one['accuracy']:.4f}", f"{one['macro_f1']:.4f}")
    console.print(table)
    return f"score {best['score']:.4f}"


def _guessed(best: Record) -> str:
    return f"{best['guessed']:.1%} of {best['hidden']:,} hidden words predicted, loss {best['loss']:.3f}"
