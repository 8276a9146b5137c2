"""A candidate is trained by a process of its own, through the entry of the training code.

TrainingRequest ─► python -P -m models.training.entry ─► Trained | Failed
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models import training_call
from models.training_call import ENTRY, Answer, Failed, Failure, TrainingRequest, read_answer
from streams.lifecycle.errors import TrainingFailed, TrainingUnavailable

__all__ = ["next_version", "train_candidate"]


def next_version(current: str, taken: Sequence[str]) -> str:
    """Returns the version after `current` and all that are taken: its last number raised, or `.1` added.

    >>> next_version("1.0.0", ["1.0.1"])
    '1.0.2'
    """
    head, dot, last = current.rpartition(".")
    number = int(last) if last.isdecimal() else 0
    stem = head + dot if last.isdecimal() else f"{current}."
    while True:
        number += 1
        if f"{stem}{number}" not in taken:
            return f"{stem}{number}"


def train_candidate(python: str, request: TrainingRequest) -> Path:
    """Trains and exports with the Python `python`, and returns the artifact's folder; progress goes to standard error.

    Raises `TrainingUnavailable` when that Python cannot be started or lacks packages, and `TrainingFailed`.
    """
    answer = _answer(python, request)
    if isinstance(answer, Failed):
        if answer.failure is Failure.PACKAGES:
            raise TrainingUnavailable(f"{python} cannot train: {answer.message}")
        raise TrainingFailed(answer.failure, answer.message)
    return Path(answer.artifact)


def _answer(python: str, request: TrainingRequest) -> Answer:
    # -P: a folder called models in the working directory must not stand in for ours
    call, given = [python, "-P", "-m", ENTRY], msgspec.json.encode(request)
    try:
        done = subprocess.run(call, input=given, stdout=subprocess.PIPE, env=_environment(), check=False)  # noqa: S603  # our own program
    except OSError as error:
        raise TrainingUnavailable(
            f"{python} cannot be started ({error.strerror}); name a Python with --python"
        ) from error
    try:
        return read_answer(done.stdout)
    except msgspec.MsgspecError as error:
        raise TrainingFailed(
            request.command,
            f"{' '.join(call)} ended with exit code {done.returncode} and without an answer; its output is above. The "
            "same command again resumes it",
        ) from error


def _environment() -> dict[str, str]:
    """Returns this process's, with our code first: the other Python brings packages, not a moodwire of its own."""
    paths = [str(_models().parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _models() -> Path:
    return Path(training_call.__file__).parent
