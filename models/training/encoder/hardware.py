"""Where a run computes, as options: they change its speed, and its result only within rounding. Needs no torch."""

from dataclasses import dataclass
from typing import Annotated, Literal

from models.training.options import WHERE, option
from models.training_call import DEVICE_HELP

__all__ = ["Hardware", "Precision"]

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Hardware:
    """Device and precision, and how a run is resumed and followed."""

    device: Annotated[str, option(DEVICE_HELP, panel=WHERE)] = "auto"
    precision: Annotated[
        Precision, option("auto, fp32 or bf16; auto is bf16 if the hardware supports it.", panel=WHERE)
    ] = "auto"
    threads: Annotated[int, option("Cores to use; 0: all.", panel=WHERE, least=0)] = 0
    checkpoint_minutes: Annotated[float, option("Minutes between checkpoints.", panel=WHERE, least=0)] = 5.0
    restart: Annotated[bool, option("Start over instead of resuming.", panel=WHERE)] = False
    wandb: Annotated[str, option("Also log to this Weights & Biases project.", panel=WHERE)] = ""
