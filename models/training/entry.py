"""The entry of the training code for other programs: a request on standard input, an answer on standard output.

    python -P -m models.training.entry < request.json > answer.json

Both are structs of `models.training_call`. Whatever training prints goes to standard error. A fault of the code itself
ends the process with a traceback and without an answer.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from models.errors import ModelError
from models.evaluation import load_behaviour_list
from models.training.commands import DistilOptions, TrainOptions, distil, train
from models.training.data.dataset import refuse_mistakes
from models.training.errors import TrainingError
from models.training.options import built
from models.training_call import Answer, Failed, Failure, Trained, TrainingRequest

__all__ = ["answer_to", "main"]


def main() -> None:
    """Answers the request on standard input."""
    with _answers_alone() as out:
        out.write(msgspec.json.encode(answer_to(sys.stdin.buffer.read())))


def _answers_alone() -> BinaryIO:
    """Returns standard output; what else is written there from now on goes to standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def answer_to(request: bytes) -> Answer:
    """Returns what became of a request in JSON."""
    try:
        read = msgspec.json.decode(request, type=TrainingRequest)
        learn = _learning(read)
    except (msgspec.MsgspecError, TrainingError) as error:
        return Failed(Failure.REQUEST, str(error))
    step = Failure.TRAIN
    try:
        learn()
        step = Failure.EXPORT
        _export(read)
    except ModelError as error:
        return Failed(step, str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("models"):
            raise
        return Failed(Failure.PACKAGES, f"the package {error.name} is missing: install moodwire[train,cpu]")
    return Trained(read.artifact)


def _learning(request: TrainingRequest) -> Callable[[], Any]:
    """Returns the run that the request asks for; raises `TrainingError` naming an option or a file that is wrong."""
    refuse_mistakes(request.datasets)
    own = {"data": request.data, "out": request.run}
    taken = sorted({*own, "dataset"} & request.options.keys())
    if taken:
        raise TrainingError(f"--{taken[0]} is not an option here: retraining sets it")
    values = {**request.options, **own}
    if request.command == "train":
        return partial(train, built(TrainOptions, values), request.datasets)
    return partial(distil, built(DistilOptions, values), request.datasets)


def _export(request: TrainingRequest) -> None:
    from models.training.export.export import ExportPlan, export

    export(
        ExportPlan(
            run=Path(request.run),
            out=Path(request.artifact),
            version=request.model_version,
            language=request.language,
            behaviour=load_behaviour_list(request.behaviour) if request.behaviour else None,
            values=request.values,
            data=Path(request.data),
            sets=request.datasets,
        )
    )


if __name__ == "__main__":
    main()
