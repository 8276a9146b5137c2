"""The commands of `moodwire model` that train, tune and distil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from streams.cli.options import JsonOption
from streams.cli.output import console, foreign, print_json
from streams.cli.training_options import (
    DATA,
    PLAN,
    ActivationOption,
    BatchOption,
    CheckpointOption,
    DataOption,
    DatasetOption,
    DecayOption,
    DeviceOption,
    EncoderOption,
    EpochsOption,
    EvaluationsOption,
    FreezeOption,
    LoraOption,
    OutOption,
    PatienceOption,
    PrecisionOption,
    RateOption,
    RestartOption,
    SeedOption,
    ThreadsOption,
    TokensOption,
    WandbOption,
)
from streams.errors import MoodwireError
from streams.lifecycle.training_code import chosen_datasets, import_training

__all__ = ["distil", "pretrain", "train", "tune"]

Record = dict[str, Any]


def train(
    data: DataOption,
    out: OutOption,
    encoder: EncoderOption = "all-mpnet-base-v2",
    dataset: DatasetOption = None,
    epochs: EpochsOption = None,
    batch_rows: BatchOption = None,
    max_tokens: TokensOption = None,
    learning_rate: RateOption = None,
    decay: DecayOption = None,
    activation: ActivationOption = None,
    freeze_layers: FreezeOption = None,
    lora_rank: LoraOption = None,
    evaluations: EvaluationsOption = None,
    patience: PatienceOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    checkpoint_minutes: CheckpointOption = 5.0,
    restart: RestartOption = False,
    wandb: WandbOption = "",
    json: JsonOption = False,
) -> None:
    plan = _plan(
        epochs=epochs,
        batch_rows=batch_rows,
        max_tokens=max_tokens,
        learning_rate=learning_rate,
        decay=_one_of("--decay", decay, "linear", "cosine"),
        activation=activation,
        freeze_layers=freeze_layers,
        lora_rank=lora_rank,
        evaluations_per_epoch=evaluations,
        patience=patience,
        seed=seed,
    )
    setup = _setup(data, out, encoder, dataset, device, precision, threads, checkpoint_minutes, restart, wandb)
    _show(import_training("learning.train").train(setup, plan), out, _scored, json=json)


def distil(
    data: DataOption,
    out: OutOption,
    teacher: Annotated[
        list[Path],
        typer.Option("--teacher", "-t", help="Folder of a teacher's run; of several the mean counts.", exists=True),
    ],
    encoder: EncoderOption = "all-MiniLM-L6-v2",
    dataset: DatasetOption = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Folder that keeps the teachers' labels; OUT/labels by default."),
    ] = None,
    soft_share: Annotated[
        float,
        typer.Option("--soft-share", help="The teachers' share of the loss.", min=0, max=1, rich_help_panel=PLAN),
    ] = 0.7,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Above 1 flattens what teachers say.", rich_help_panel=PLAN)
    ] = 1.0,
    swap_names: Annotated[
        float,
        typer.Option(
            "--swap-names", help="Share of texts to learn again with other names.", min=0, max=1, rich_help_panel=DATA
        ),
    ] = 0.0,
    drop_tickers: Annotated[
        float,
        typer.Option(
            "--drop-tickers", help="Share of texts to learn again without $TICKER.", min=0, max=1, rich_help_panel=DATA
        ),
    ] = 0.0,
    drop_words: Annotated[
        float,
        typer.Option(
            "--drop-words",
            help="Share of texts to learn again without some words, from teachers alone.",
            min=0,
            max=1,
            rich_help_panel=DATA,
        ),
    ] = 0.0,
    other_words: Annotated[
        float,
        typer.Option(
            "--other-words",
            help="Share of texts to learn again with like words, from teachers alone.",
            min=0,
            max=1,
            rich_help_panel=DATA,
        ),
    ] = 0.0,
    rewritten: Annotated[
        float,
        typer.Option(
            "--rewritten",
            help="Share of texts to learn again with words that fit in the place of some, from teachers alone; 2: each "
            "text twice.",
            min=0,
            max=20,
            rich_help_panel=DATA,
        ),
    ] = 0.0,
    rewriter: Annotated[
        Path | None,
        typer.Option("--rewriter", help="Run of model pretrain that guesses those words.", rich_help_panel=DATA),
    ] = None,
    sentences: Annotated[
        float,
        typer.Option(
            "--sentences",
            help="Made English sentences to learn, as a share of the texts: a loss that narrows is good.",
            min=0,
            max=1,
            rich_help_panel=DATA,
        ),
    ] = 0.0,
    epochs: EpochsOption = None,
    batch_rows: BatchOption = None,
    max_tokens: TokensOption = None,
    learning_rate: RateOption = None,
    decay: DecayOption = None,
    activation: ActivationOption = None,
    evaluations: EvaluationsOption = None,
    patience: PatienceOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    checkpoint_minutes: CheckpointOption = 5.0,
    restart: RestartOption = False,
    wandb: WandbOption = "",
    json: JsonOption = False,
) -> None:
    plan = _plan(
        epochs=epochs,
        batch_rows=batch_rows,
        max_tokens=max_tokens,
        learning_rate=learning_rate,
        decay=_one_of("--decay", decay, "linear", "cosine"),
        activation=activation,
        evaluations_per_epoch=evaluations,
        patience=patience,
        seed=seed,
    )
    code = import_training("distillation.distil")
    shares = {
        "names": swap_names,
        "ticker": drop_tickers,
        "words": drop_words,
        "other_words": other_words,
        "rewritten": rewritten,
        "sentences": sentences,
    }
    teaching = code.Teaching(
        teachers=teacher,
        labels=labels,
        soft_share=soft_share,
        temperature=temperature,
        augment={kind: share for kind, share in shares.items() if share},
        rewriter=import_training("encoder.cache").find_encoder(str(rewriter)) if rewriter else None,
    )
    setup = _setup(data, out, encoder, dataset, device, precision, threads, checkpoint_minutes, restart, wandb)
    _show(code.distil(setup, plan, teaching), out, _scored, json=json)


def pretrain(
    data: DataOption,
    out: OutOption,
    encoder: EncoderOption = "all-MiniLM-L6-v2",
    dataset: DatasetOption = None,
    epochs: EpochsOption = None,
    batch_rows: Annotated[
        int | None, typer.Option("--batch-rows", help="Texts a step (64).", min=1, rich_help_panel=PLAN)
    ] = None,
    max_tokens: TokensOption = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Of the encoder, at its highest (0.0002).", rich_help_panel=PLAN),
    ] = None,
    evaluations: EvaluationsOption = None,
    patience: PatienceOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    checkpoint_minutes: CheckpointOption = 5.0,
    restart: RestartOption = False,
    wandb: WandbOption = "",
    json: JsonOption = False,
) -> None:
    code = import_training("learning.pretrain")
    plan = _plan(
        code.PLAN,
        epochs=epochs,
        batch_rows=batch_rows,
        max_tokens=max_tokens,
        learning_rate=learning_rate,
        evaluations_per_epoch=evaluations,
        patience=patience,
        seed=seed,
    )
    setup = _setup(data, out, encoder, dataset, device, precision, threads, checkpoint_minutes, restart, wandb)
    _show(code.pretrain(setup, plan), out, _guessed, json=json)


def tune(
    data: DataOption,
    out: OutOption,
    encoder: EncoderOption = "all-MiniLM-L6-v2",
    dataset: DatasetOption = None,
    trials: Annotated[int, typer.Option("--trials", help="Trials to add.", min=1)] = 20,
    what: Annotated[
        str, typer.Option("--what", help="Settings to try, with commas between.", rich_help_panel=PLAN)
    ] = "learning_rate,head_learning_rate,label_smoothing,dropout,batch_rows",
    epochs: EpochsOption = None,
    freeze_layers: FreezeOption = None,
    evaluations: EvaluationsOption = None,
    seed: SeedOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = 0,
    json: JsonOption = False,
) -> None:
    base = _plan(epochs=epochs, freeze_layers=freeze_layers, evaluations_per_epoch=evaluations, seed=seed)
    training, code = import_training("learning.train"), import_training("learning.tune")

    def trial(plan: Any, folder: Path, listen: Any) -> Any:
        setup = _setup(data, folder, encoder, dataset, device, precision, threads, 1e9, True, "")
        return training.train(setup, plan, listen=listen)

    names = tuple(name.strip() for name in what.split(",") if name.strip())
    best = code.tune(base, trial, out, trials=trials, names=names)
    found = {name: getattr(best, name) for name in names}
    if json:
        print_json(found)
        return
    console.print("the best so far:", highlight=False)
    for name, value in found.items():
        console.print(
            f"  {name} {value:.4g}" if isinstance(value, float) else f"  {name} {foreign(value)}", highlight=False
        )


def _plan(usual: Any = None, **given: Any) -> Any:
    """Return the usual plan with what was given on the command line."""
    usual = usual or import_training("learning.plan").Plan()
    return replace(usual, **{name: value for name, value in given.items() if value is not None})


def _setup(
    data: Path,
    out: Path,
    encoder: str,
    dataset: list[Path] | None,
    device: str,
    precision: str,
    threads: int,
    checkpoint_minutes: float,
    restart: bool,
    wandb: str,
) -> Any:
    return import_training("learning.train").Setup(
        sets=chosen_datasets(dataset),
        data=data,
        encoder=import_training("encoder.cache").find_encoder(encoder),
        out=out,
        device=device,
        precision=_one_of("--precision", precision, "auto", "fp32", "bf16"),
        threads=threads,
        checkpoint_seconds=60 * checkpoint_minutes,
        restart=restart,
        wandb_project=wandb,
    )


def _one_of(option: str, value: str | None, *allowed: str) -> str | None:
    if value is not None and value not in allowed:
        raise MoodwireError(f"{option} is {value!r}; it must be one of {', '.join(allowed)}")
    return value


def _show(record: Record, out: Path, told: Callable[[Record], str], *, json: bool) -> None:
    """Show a run's record; `told` says how good its best evaluation was."""
    best = record["best"]
    if json:
        print_json(record)
    elif best is None:
        console.print("no evaluation yet; the same command goes on", highlight=False)
    else:
        console.print(f"{foreign(out / 'best')}: step {best['step']:,}, {told(best)}", highlight=False, soft_wrap=True)


def _scored(best: Record) -> str:
    """Show a table of the heads, and return the score."""
    table = Table("head", "dev rows", "accuracy", "macro-F1", header_style="bold")
    for name, one in best["heads"].items():
        table.add_row(foreign(name), f"{one['rows']:,}", f"{one['accuracy']:.4f}", f"{one['macro_f1']:.4f}")
    console.print(table)
    return f"score {best['score']:.4f}"


def _guessed(best: Record) -> str:
    return f"{best['guessed']:.1%} of {best['hidden']:,} hidden words guessed, loss {best['loss']:.3f}"
