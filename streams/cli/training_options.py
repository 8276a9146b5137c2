"""Options that the commands of training share; a default in brackets is the plan's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DATA",
    "MACHINE",
    "PLAN",
    "ActivationOption",
    "BatchOption",
    "CheckpointOption",
    "DataOption",
    "DatasetOption",
    "DecayOption",
    "DeviceOption",
    "EncoderOption",
    "EpochsOption",
    "EvaluationsOption",
    "FreezeOption",
    "LoraOption",
    "OutOption",
    "PatienceOption",
    "PrecisionOption",
    "RateOption",
    "RestartOption",
    "SeedOption",
    "ThreadsOption",
    "TokensOption",
    "WandbOption",
]

DATA, PLAN, MACHINE = "What it learns from", "How it learns", "Where it runs"

DataOption = Annotated[
    Path, typer.Option("--data", "-d", help="Folder of the labelled data.", exists=True, file_okay=False)
]
DatasetOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--dataset",
        help="YAML of a data set; may be given several times. Given none, those of the shipped model.",
        rich_help_panel=DATA,
    ),
]
EncoderOption = Annotated[
    str,
    typer.Option(
        "--encoder",
        "-e",
        help="Pretrained encoder: a folder, a name that deploy/setup/fetch-encoder brought, or owner/name on the hub; "
        "or the folder of a run, to go on from its network.",
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the run. The same command again goes on in it.")
]
EpochsOption = Annotated[int | None, typer.Option(help="Times over all texts (3).", min=1, rich_help_panel=PLAN)]
BatchOption = Annotated[
    int | None, typer.Option("--batch-rows", help="Texts a step (32).", min=1, rich_help_panel=PLAN)
]
TokensOption = Annotated[
    int | None, typer.Option("--max-tokens", help="Where texts are cut (96).", min=8, rich_help_panel=PLAN)
]
RateOption = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Of the encoder, at its highest (0.0001).", rich_help_panel=PLAN),
]
DecayOption = Annotated[
    str | None, typer.Option("--decay", help="Of the rate after warm-up: linear or cosine.", rich_help_panel=PLAN)
]
ActivationOption = Annotated[
    str | None,
    typer.Option(
        "--activation",
        help="In the place of the encoder's own: with relu the int8 network is faster.",
        rich_help_panel=PLAN,
    ),
]
FreezeOption = Annotated[
    int | None,
    typer.Option(
        "--freeze-layers",
        help="The lowest so many layers learn nothing, and run only once (0).",
        min=0,
        rich_help_panel=PLAN,
    ),
]
LoraOption = Annotated[
    int | None,
    typer.Option(
        "--lora-rank", help="Train adapters of this rank instead of the encoder.", min=0, rich_help_panel=PLAN
    ),
]
PatienceOption = Annotated[
    int | None,
    typer.Option("--patience", help="Evaluations without a better one before it stops (3).", rich_help_panel=PLAN),
]
EvaluationsOption = Annotated[
    int | None, typer.Option("--evaluations", help="Evaluations on dev an epoch (1).", min=1, rich_help_panel=PLAN)
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Of all that is drawn (7).", rich_help_panel=PLAN)]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 …", rich_help_panel=MACHINE)]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision", help="auto, fp32 or bf16; auto is bf16 where the hardware has it.", rich_help_panel=MACHINE
    ),
]
ThreadsOption = Annotated[int, typer.Option("--threads", help="Cores to use; 0: all.", min=0, rich_help_panel=MACHINE)]
CheckpointOption = Annotated[
    float, typer.Option("--checkpoint-minutes", help="Between two checkpoints.", min=0.0, rich_help_panel=MACHINE)
]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Begin anew instead of going on.", rich_help_panel=MACHINE)
]
WandbOption = Annotated[
    str, typer.Option("--wandb", help="Project on Weights & Biases to log to as well.", rich_help_panel=MACHINE)
]
