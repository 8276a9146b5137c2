"""The setup of a run on the small corpus. Needs the extra `train`."""

from pathlib import Path
from typing import Any

from models.training.learning.run import Setup
from streams.lifecycle.training_code import read_datasets

__all__ = ["setup"]


def setup(data: Path, encoder: Path, out: Path, *names: str, **more: Any) -> Setup:
    """A run on the data sets `names`, or on both."""
    sets = read_datasets([data / f"{name}.yaml" for name in names or ("texts", "pairs")])
    return Setup(sets, data, encoder, out, device="cpu", threads=1, quiet=True, **more)
