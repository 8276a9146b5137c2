"""An encoder goes on learning its language: hidden words, and an encoder as any other at the end."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("tensorboard", reason="training needs the extra `train`")

import torch

from models.training.data.batches import Encoded
from models.training.encoder import network as networks
from models.training.encoder.cache import find_encoder
from models.training.encoder.device import Machine
from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.learning.pretrain import HIDDEN_SHARE, HiddenWords, pretrain
from models.training.learning.train import train
from tests.models.training.small_runs import setup
from tests.models.training.small_words import WORDS

PLAN = Plan(epochs=2, batch_rows=16, max_tokens=24, learning_rate=1e-3, head_learning_rate=1e-2)
MASK = len(WORDS)
CPU = Machine(torch.device("cpu"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = networks.from_pretrained(folder, {}).state_dict()
    return found


def test_words_are_guessed_better_and_training_goes_on_from_the_encoder(
    small_data: Path, hiding_encoder: Path, tmp_path: Path
) -> None:
    record = pretrain(
        setup(small_data, hiding_encoder, tmp_path / "read"), replace(PLAN, epochs=10, patience=10, learning_rate=4e-3)
    )
    first, best = record["evaluations"][0], record["best"]
    assert best["hidden"] == first["hidden"] > 10
    assert best["loss"] < math.log(MASK + 1) - 0.1  # what a blind guess costs; most words here are drawn by chance
    assert best["guessed"] > first["guessed"]
    found = find_encoder(str(tmp_path / "read"))
    before, after = weights(hiding_encoder), weights(found)
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert not {name for name in changed if ".embeddings." in name}
    trained = train(setup(small_data, found, tmp_path / "run"), PLAN, stop_after=1)
    assert trained["encoder"] == "read"


def test_an_interrupted_run_ends_as_one_that_was_not(small_data: Path, hiding_encoder: Path, tmp_path: Path) -> None:
    whole = pretrain(setup(small_data, hiding_encoder, tmp_path / "whole"), PLAN)
    for _ in range(3):
        cut = pretrain(setup(small_data, hiding_encoder, tmp_path / "cut"), PLAN, stop_after=7)
    assert not cut["finished"]
    cut = pretrain(setup(small_data, hiding_encoder, tmp_path / "cut"), PLAN)
    assert cut["evaluations"] == whole["evaluations"]
    ours, theirs = weights(tmp_path / "whole" / "best"), weights(tmp_path / "cut" / "best")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_fresh_head_learns_alone_at_first_and_one_that_is_there_does_not(
    small_data: Path, hiding_encoder: Path, tmp_path: Path
) -> None:
    slow = replace(PLAN, warmup_share=0.5, epochs=1, patience=9)
    some = pretrain(setup(small_data, hiding_encoder, tmp_path / "some"), slow, stop_after=5)
    assert some["step"] == 5
    state = torch.load(tmp_path / "some" / "resume.pt", weights_only=True)["weights"]
    before = weights(hiding_encoder)
    kept = {name.replace("bert.", "encoder.", 1): value for name, value in state.items() if name.startswith("bert.")}
    assert kept
    assert all(torch.equal(value, before[name]) for name, value in kept.items())
    pretrain(setup(small_data, hiding_encoder, tmp_path / "first"), replace(PLAN, epochs=1))
    found = find_encoder(str(tmp_path / "first"))
    pretrain(setup(small_data, found, tmp_path / "second"), slow, stop_after=5)
    state = torch.load(tmp_path / "second" / "resume.pt", weights_only=True)["weights"]
    held = weights(found)
    moved = [name for name, value in state.items() if name.startswith("bert.encoder.layer.")]
    assert not all(torch.equal(state[name], held[name.replace("bert.", "encoder.", 1)]) for name in moved)


def test_only_words_are_hidden_and_about_as_many_as_asked(hiding_encoder: Path) -> None:
    rows = [Encoded(number, [2, *range(4, 14), 3][: 12 - number % 3]) for number in range(400)]
    objective = HiddenWords(hiding_encoder, rows, rows, PLAN, CPU)
    torch.manual_seed(5)
    guesses, wanted = objective._guesses(objective.collate(rows))
    assert guesses.shape == (len(wanted), MASK + 1)
    words = sum(len([one for one in row.ids if one > 3]) for row in rows)
    assert abs(len(wanted) / words - HIDDEN_SHARE) < 0.02
    assert int(wanted.min()) > 3


def test_a_batch_without_a_hidden_word_teaches_nothing(hiding_encoder: Path) -> None:
    row = Encoded(0, [2, 3])
    objective = HiddenWords(hiding_encoder, [row], [row], PLAN, CPU)
    assert float(objective.loss(objective.collate([row])).detach()) == 0
    assert objective.evaluate().kept == {"hidden": 0, "loss": 0, "guessed": 0}


def test_a_tokenizer_that_hides_nothing_is_refused(small_data: Path, small_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no token that hides a word"):
        pretrain(setup(small_data, small_encoder, tmp_path / "run"), PLAN)


def test_a_trained_network_is_no_encoder_to_pretrain(small_data: Path, hiding_encoder: Path, tmp_path: Path) -> None:
    train(setup(small_data, hiding_encoder, tmp_path / "run"), PLAN, stop_after=40)
    found = find_encoder(str(tmp_path / "run"))
    with pytest.raises(TrainingError, match="pretrain first, then train"):
        pretrain(setup(small_data, found, tmp_path / "read"), PLAN)


def test_a_folder_of_a_training_run_is_refused(small_data: Path, hiding_encoder: Path, tmp_path: Path) -> None:
    train(setup(small_data, hiding_encoder, tmp_path / "run"), PLAN, stop_after=1)
    with pytest.raises(TrainingError, match=r"another hidden_share, objective.*--restart"):
        pretrain(setup(small_data, hiding_encoder, tmp_path / "run"), PLAN)
