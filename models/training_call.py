"""How training is started from outside: a request and an answer, as JSON.

    request ─► stdin of `python -P -m models.training.entry` ─► answer on stdout; all that it reports on stderr

The training code needs packages of gigabytes that nothing else does, so it runs in a process of its own, in this
Python or in another one. This module needs none of them: both sides import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from models.dataset import DataSet

__all__ = [
    "DATASET_HELP",
    "DATA_HELP",
    "DEVICE_HELP",
    "ENTRY",
    "Answer",
    "Failed",
    "Failure",
    "OptionValue",
    "Trained",
    "TrainingRequest",
    "read_answer",
]

ENTRY = "models.training.entry"

DATA_HELP = "Folder of the labelled data."
DATASET_HELP = "YAML description of a data set; repeatable. By default those of the shipped model."
DEVICE_HELP = "auto, cpu, cuda, cuda:1 …"
"""What options are that commands with and without the training code share."""

OptionValue = str | int | float | bool | list[str]
"""Of an option: its value, a list where it is repeated, True where it is a flag."""


class TrainingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Train a network and export it.

    `options` are those of `moodwire model train` or `distil` but `data`, `dataset` and `out`, by their names without
    dashes in front; a number may be in words. `datasets` are described as in a data set's YAML; their rows
    lie in `data` unless they name another place. The run goes to the folder `run`, and the same request resumes it.
    `artifact` is the folder of the exported model; its name is the model's. `behaviour` is its shipped list of
    behaviour tests; empty: none. `values` are by head the places of its labels from -1 to 1, for heads with a
    direction.
    """

    command: Literal["train", "distil"]
    data: str
    datasets: list[DataSet]
    run: str
    artifact: str
    model_version: str
    language: str
    behaviour: str = ""
    values: Mapping[str, Mapping[str, float]] = {}
    options: Mapping[str, OptionValue] = {}


class Failure(StrEnum):
    """Why a training ended without a model."""

    REQUEST = "request"
    """The request is not readable, or asks for an option that there is not."""
    PACKAGES = "packages"
    """The training packages are not installed in this Python."""
    TRAIN = "train"
    EXPORT = "export"


class Trained(msgspec.Struct, frozen=True, tag="trained"):
    """The artifact is written."""

    artifact: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """There is no artifact; the message names the thing and the fix."""

    failure: Failure
    message: str


Answer = Trained | Failed

_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def read_answer(data: bytes) -> Answer:
    """Returns the answer of a training process; raises `msgspec.MsgspecError` for what is none."""
    return _answers.decode(data)
