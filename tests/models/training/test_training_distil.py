"""A student learns from a teacher, on all heads. Needs the extra `train`."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("tensorboard", reason="training needs the extra `train`")

from models.training.distillation.distil import distil
from models.training.distillation.teaching import Teaching
from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.learning.pretrain import pretrain
from models.training.learning.train import train
from tests.models.training.small_runs import setup

PLAN = Plan(epochs=8, batch_rows=16, max_tokens=24, learning_rate=1e-3, head_learning_rate=1e-2, patience=15)


def test_a_student_learns_from_two_teachers_alone(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        train(setup(small_data, small_encoder, tmp_path / f"teacher{seed}"), replace(PLAN, seed=seed, epochs=14))
    teaching = Teaching(
        (tmp_path / "teacher1", tmp_path / "teacher2"),
        soft_share=1.0,
        temperature=2.0,
        swap_names=0.5,
        drop_words=0.3,
        other_words=0.3,
        sentences=0.1,
    )
    record = distil(setup(small_data, small_encoder, tmp_path / "student"), replace(PLAN, epochs=14), teaching)
    assert record["rows"] > 330  # some made from others
    assert record["teaching"]["teachers"][0].startswith("small-encoder")
    assert record["best"]["heads"]["sentiment"]["accuracy"] > 0.9
    assert record["best"]["heads"]["names"]["accuracy"] > 0.8
    assert record["best"]["score"] > 0.75  # of the teachers' 0.86: so small a network is slow to follow soft labels

    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "student" / "labels").iterdir()}
    assert len(parts) == 2
    again = setup(small_data, small_encoder, tmp_path / "other")
    distil(again, PLAN, replace(teaching, labels=tmp_path / "student" / "labels"), stop_after=1)
    assert parts == {path: path.stat().st_mtime_ns for path in (tmp_path / "student" / "labels").iterdir()}


def test_a_teacher_of_other_heads_is_refused(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    train(setup(small_data, small_encoder, tmp_path / "teacher", "texts"), replace(PLAN, epochs=1))
    with pytest.raises(TrainingError, match="train the teacher on the same data sets"):
        distil(setup(small_data, small_encoder, tmp_path / "student"), PLAN, Teaching((tmp_path / "teacher",)))


def test_a_folder_that_holds_no_run_is_no_teacher(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no trained network"):
        distil(setup(small_data, small_encoder, tmp_path / "student"), PLAN, Teaching((tmp_path / "nothing",)))


def test_texts_are_rewritten_by_a_pretrained_encoder(small_data: Path, hiding_encoder: Path, tmp_path: Path) -> None:
    pretrain(setup(small_data, hiding_encoder, tmp_path / "reader"), replace(PLAN, epochs=1))
    train(setup(small_data, hiding_encoder, tmp_path / "teacher"), replace(PLAN, epochs=1))
    plain = Teaching((tmp_path / "teacher",))
    without = distil(setup(small_data, hiding_encoder, tmp_path / "without"), PLAN, plain, stop_after=1)
    teaching = replace(plain, rewritten=1.0, rewriter=tmp_path / "reader" / "best")
    record = distil(setup(small_data, hiding_encoder, tmp_path / "student"), PLAN, teaching, stop_after=1)
    assert 1.5 * without["rows"] < record["rows"] <= 2 * without["rows"]
    assert record["teaching"]["rewriter"] == "reader"
    with pytest.raises(TrainingError, match="no rewriter; name the folder"):
        distil(setup(small_data, hiding_encoder, tmp_path / "third"), PLAN, replace(teaching, rewriter=None))
