"""A run learns, stops and goes on to the same weights. Needs the extra `train`."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("tensorboard", reason="training needs the extra `train`")

import torch

from models.training.data.heads import HeadSpec, read_heads
from models.training.encoder import frozen
from models.training.encoder import network as networks
from models.training.encoder.cache import find_encoder
from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.learning.resume import Progress
from models.training.learning.train import train
from models.training.reports.record import run_record
from tests.models.training.small_runs import setup

PLAN = Plan(
    epochs=2, batch_rows=16, max_tokens=24, learning_rate=1e-3, head_learning_rate=1e-2, evaluations_per_epoch=2
)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return networks.read_state(run / "best")


@pytest.mark.parametrize("freeze_layers", [0, 2])
def test_an_interrupted_run_ends_as_one_that_was_not(
    freeze_layers: int, small_data: Path, small_encoder: Path, tmp_path: Path
) -> None:
    plan = replace(PLAN, freeze_layers=freeze_layers)
    whole = train(setup(small_data, small_encoder, tmp_path / "whole"), plan)
    for _ in range(3):
        cut = train(setup(small_data, small_encoder, tmp_path / "cut"), plan, stop_after=5)
    assert not cut["finished"]
    cut = train(setup(small_data, small_encoder, tmp_path / "cut"), plan)
    assert cut["finished"]
    assert not list((tmp_path / "cut").glob("hidden-*"))
    assert train(setup(small_data, small_encoder, tmp_path / "cut"), plan) == cut
    assert cut["step"] == whole["step"] > 15
    assert cut["evaluations"] == whole["evaluations"]
    ours, theirs = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_was_trained_is_what_is_loaded(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=15, evaluations_per_epoch=1, patience=15)
    record = train(setup(small_data, small_encoder, tmp_path / "run"), plan)
    network = networks.load(tmp_path / "run" / "best")
    assert {name: head.kind for name, head in network.specs.items()} == {
        "sentiment": "text",
        "entity": "entity",
        "names": "names",
    }
    heads = record["best"]["heads"]
    assert heads["sentiment"]["accuracy"] > 0.9
    assert heads["names"]["accuracy"] > 0.9


def test_frozen_layers_keep_the_encoders_weights(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    plan = Plan(epochs=1, batch_rows=16, max_tokens=24, freeze_layers=2, learning_rate=1e-3)
    train(setup(small_data, small_encoder, tmp_path / "run"), plan)
    before = networks.from_pretrained(small_encoder, {}).state_dict()
    after = weights(tmp_path / "run")
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert all(name.startswith("encoder.encoder.layer.2.") for name in changed)


def test_a_run_goes_on_from_the_network_of_another(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    first = train(setup(small_data, small_encoder, tmp_path / "first"), replace(PLAN, epochs=15, patience=15))
    gentle = replace(PLAN, epochs=1, learning_rate=1e-5, head_learning_rate=1e-5, activation="relu")
    second = train(setup(small_data, find_encoder(str(tmp_path / "first")), tmp_path / "second"), gentle)
    fresh = train(setup(small_data, small_encoder, tmp_path / "fresh"), gentle)
    assert second["encoder"] == "first"
    assert second["best"]["score"] > 0.9 * first["best"]["score"] > 1.2 * fresh["best"]["score"]
    assert networks.load(tmp_path / "second" / "best").encoder.config.hidden_act == "relu"


def test_what_a_network_learnt_before_is_said_where_nobody_compares_it(
    small_data: Path, small_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = replace(setup(small_data, small_encoder, tmp_path / "first"), quiet=False)
    train(told, PLAN, stop_after=30)
    on = replace(told, encoder=tmp_path / "first" / "best", out=tmp_path / "second")
    train(on, PLAN, stop_after=1)
    assert "LEAK?" not in "".join(capsys.readouterr())
    train(replace(on, sets=on.sets[:1], out=tmp_path / "third"), PLAN, stop_after=1)
    assert f"first has learnt {on.sets[1].name} as it was described then" in " ".join(
        "".join(capsys.readouterr()).split()
    )


def test_a_head_with_other_labels_begins_fresh(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    train(setup(small_data, small_encoder, tmp_path / "first"), PLAN, stop_after=30)
    known = read_heads(tmp_path / "first" / "best")
    other = {**known, "sentiment": HeadSpec("text", ("bad", "good"))}
    taken = networks.from_pretrained(tmp_path / "first" / "best", other).state_dict()
    held = weights(tmp_path / "first")
    assert torch.equal(taken["heads.entity.weight"], held["heads.entity.weight"])
    assert taken["heads.sentiment.weight"].shape[0] == 2


def test_a_folder_of_another_plan_is_refused(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    train(setup(small_data, small_encoder, tmp_path / "run"), PLAN, stop_after=1)
    other = replace(PLAN, seed=8)
    with pytest.raises(TrainingError, match=r"another seed.*--restart"):
        train(setup(small_data, small_encoder, tmp_path / "run"), other)
    again = train(setup(small_data, small_encoder, tmp_path / "run", restart=True), other, stop_after=1)
    assert again["plan"]["seed"] == 8


def test_a_first_pass_that_was_cut_off_goes_on(
    small_data: Path, small_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "_MARKED_BATCHES", 1)
    plan = replace(PLAN, freeze_layers=2)
    train(setup(small_data, small_encoder, tmp_path / "whole"), plan, stop_after=1)
    (whole,) = (tmp_path / "whole").glob("hidden-*.f16")
    passes = 0
    first_pass = frozen._first_pass

    def cut_off(*given: object) -> None:
        nonlocal passes
        passes += 1
        if passes == 4:
            raise KeyboardInterrupt
        first_pass(*given)

    monkeypatch.setattr(frozen, "_first_pass", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(setup(small_data, small_encoder, tmp_path / "cut"), plan, stop_after=1)
    before = passes
    train(setup(small_data, small_encoder, tmp_path / "cut"), plan, stop_after=1)
    (again,) = (tmp_path / "cut").glob("hidden-*")
    assert again.read_bytes() == whole.read_bytes()
    rows = run_record(tmp_path / "cut") or {}
    batches = -(-(rows["rows"] + rows["dev_rows"]) // 64)
    assert passes - before == 1 + batches - 2  # one to see what layers answer with; two batches were there


def test_a_run_that_is_asked_to_stop_keeps_what_it_has(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(progress: Progress) -> None:
        if progress.evaluations and not asked:
            asked.append(progress.step)
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train(setup(small_data, small_encoder, tmp_path / "run"), PLAN, listen=ask)
    assert signal.getsignal(signal.SIGTERM) is before
    record = run_record(tmp_path / "run") or {}
    assert len(record["evaluations"]) == 1
    assert record["step"] == asked[0]
    assert train(setup(small_data, small_encoder, tmp_path / "run"), PLAN)["finished"]
