"""Stands in for `python -P -m models.training.entry` where the training packages are not: a program for tests.

It writes the request to the folder of the run, and the shipped model under the asked version.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import msgspec

from models import shipped
from models.artifact import MANIFEST
from models.training_call import Answer, Failed, Failure, Trained, TrainingRequest

MODEL = "finance-en-minilm-int8"


def answer_to(request: TrainingRequest) -> Answer:
    """Trains as the request asks; with the option `fail` it does not."""
    if request.options.get("fail"):
        return Failed(Failure.TRAIN, "no gradient")
    run = Path(request.run)
    run.mkdir(parents=True, exist_ok=True)
    (run / "request.json").write_bytes(msgspec.json.encode(request))
    out = Path(request.artifact)
    shutil.copytree(shipped(MODEL), out)
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    (out / MANIFEST).write_text(json.dumps(manifest | {"version": request.model_version}), encoding="utf-8")
    return Trained(request.artifact)


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=TrainingRequest)
    if asked.options.get("die"):
        sys.exit(3)
    sys.stdout.buffer.write(msgspec.json.encode(answer_to(asked)))
