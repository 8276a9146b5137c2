"""Where a run computes, and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from models.training.encoder.hardware import Precision
from models.training.errors import TrainingError

__all__ = ["EVALUATION_ROWS", "Machine", "autocast", "chosen_device", "chosen_precision"]

EVALUATION_ROWS = 64
"""Rows of a batch that nothing is learnt from."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how a run computes; it changes the speed, and the result only within rounding."""

    device: torch.device
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpoint_seconds: float = 300.0


def chosen_device(name: str) -> torch.device:
    """Returns the device `name`; `auto` takes a GPU where there is one. Raises `TrainingError` when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(f"no GPU answers to {name!r}; train with --device cpu, or install torch for your GPU")
    return torch.device(name)


def chosen_precision(wanted: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Returns what `auto` stands for: bf16 where the device computes it in hardware, fp32 elsewhere.

    On a processor without AVX-512 bf16 or AMX, bf16 is emulated and several times as slow as fp32.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if known.get("avx512_bf16") or known.get("amx_bf16") or known.get("amx_tile") else "fp32"


def autocast(precision: Literal["fp32", "bf16"], device: torch.device) -> AbstractContextManager[object]:
    """Returns the context in which the forward pass runs."""
    if precision == "fp32":
        return nullcontext()
    context: AbstractContextManager[object] = torch.autocast(device.type, torch.bfloat16)
    return context
