"""Training started by another program: a typed request in, a typed answer out."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from models import load_artifact
from models.training.entry import answer_to
from models.training_call import ENTRY, Failed, Failure, Trained, TrainingRequest, read_answer
from streams.lifecycle.training_code import read_datasets


@pytest.fixture
def request_of(tmp_path: Path) -> TrainingRequest:
    with (tmp_path / "own.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), ("Profit rises", "good"), ("Profit falls", "bad")])
    (tmp_path / "own.yaml").write_text(
        "name: own\nlicence: none\nhead: tone\nhead_labels: [bad, good]\nlabel: label\n"
        "label_map: {bad: bad, good: good}\nsplits: {train: own.csv}\n",
        encoding="utf-8",
    )
    return TrainingRequest(
        command="train",
        data=str(tmp_path),
        datasets=read_datasets([tmp_path / "own.yaml"]),
        run=str(tmp_path / "run"),
        artifact=str(tmp_path / "made" / "small"),
        model_version="1",
        language="en",
    )


def answered(request: TrainingRequest) -> Failed:
    answer = answer_to(msgspec.json.encode(request))
    assert isinstance(answer, Failed)
    return answer


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epoch": "2"}, "there is no option --epoch; did you mean --epochs?"),
        ({"epochs": "two"}, "--epochs is 'two'"),
        ({"out": "elsewhere"}, "--out is not an option here"),
    ],
)
def test_a_wrong_option_is_an_answer(request_of: TrainingRequest, options: dict[str, str], says: str) -> None:
    failed = answered(msgspec.structs.replace(request_of, options=options))
    assert failed.failure is Failure.REQUEST
    assert says in failed.message


def test_a_wrong_description_of_a_data_set_is_an_answer(request_of: TrainingRequest) -> None:
    [own] = request_of.datasets
    wrong = msgspec.structs.replace(own, label_map={"bad": "worse"})
    failed = answered(msgspec.structs.replace(request_of, datasets=[wrong]))
    assert failed.failure is Failure.REQUEST
    assert "data set own: label_map.bad: 'worse' is no label of the head; take one of bad, good" in failed.message
    reversed_labels = msgspec.structs.replace(own, name="other", head_labels=("good", "bad"))
    failed = answered(msgspec.structs.replace(request_of, datasets=[own, reversed_labels]))
    assert "write the same list in both" in failed.message


@pytest.mark.parametrize("request_bytes", [b"", b"{", b"[]", b'{"command": "pretrain"}'])
def test_what_is_no_request_is_an_answer(request_bytes: bytes) -> None:
    answer = answer_to(request_bytes)
    assert isinstance(answer, Failed)
    assert answer.failure is Failure.REQUEST


def test_the_program_answers_on_standard_output_alone(request_of: TrainingRequest) -> None:
    asked = msgspec.structs.replace(request_of, options={"encoder": "no-such-encoder"})
    done = subprocess.run(
        [sys.executable, "-P", "-m", ENTRY], input=msgspec.json.encode(asked), capture_output=True, check=True
    )
    answer = read_answer(done.stdout)
    assert isinstance(answer, Failed)
    assert answer.failure in {Failure.TRAIN, Failure.PACKAGES}, "without the packages, or without the encoder"


def test_a_request_ends_in_an_artifact(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    for package in ("torch", "transformers", "tensorboard", "onnxscript"):
        pytest.importorskip(package, reason="training needs the extra `train`")
    asked = TrainingRequest(
        command="train",
        data=str(small_data),
        datasets=read_datasets([small_data / "texts.yaml"]),
        run=str(tmp_path / "run"),
        artifact=str(tmp_path / "3.1" / "small"),
        model_version="3.1",
        language="de",
        options={
            "encoder": str(small_encoder), "epochs": "40", "max-tokens": "24", "batch-rows": "16",
            "learning-rate": "0.001", "device": "cpu", "threads": "1", "patience": "40",
        },
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-m", ENTRY], input=msgspec.json.encode(asked), stdout=subprocess.PIPE, check=True
    )
    assert read_answer(done.stdout) == Trained(asked.artifact)
    artifact = load_artifact(Path(asked.artifact))
    assert (artifact.name, artifact.version, artifact.language) == ("small", "3.1", "de")
