"""The folder of a run: `run.json`, which says what was trained and how well, beside the best weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.training.errors import TrainingError

__all__ = ["BEST", "run_record", "write_json", "write_record"]

BEST = "best"
"""The folder in a run that holds the weights of its best evaluation."""

_RECORD = "run.json"


def run_record(folder: Path) -> dict[str, Any] | None:
    """Returns what `run.json` says of the run in `folder`; None when there is none."""
    path = folder / _RECORD
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{path} is no JSON ({error}); train into another folder, or with --restart") from error
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes `run.json`; the file is whole or the old one."""
    write_json(folder / _RECORD, record)


def write_json(path: Path, value: Any) -> None:
    """Writes a value to a file, and its folder if need be; the file is whole, the old one or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
