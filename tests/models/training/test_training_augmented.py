"""Words that fit take the place of some, and the texts are kept. Needs the extra `train`."""

import random
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("tensorboard", reason="training needs the extra `train`")

import torch

from models.training.augmentation.augmented import augmented, chosen
from models.training.data.example import Example
from models.training.encoder.device import Machine
from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.learning.pretrain import pretrain
from models.training.reports.reporter import Reporter
from tests.models.training.small_runs import setup
from tests.models.training.small_words import FILLERS, WORDS

CPU = Machine(torch.device("cpu"))
KNOWN = {word for word in WORDS if word.isalpha()}


@pytest.fixture
def rewriter(small_data: Path, hiding_encoder: Path, tmp_path: Path) -> Path:
    run = setup(small_data, hiding_encoder, tmp_path / "r", "texts")
    pretrain(run, Plan(epochs=1, batch_rows=16, max_tokens=24))
    return tmp_path / "r" / "best"


def written(examples: list[Example], rewriter: Path, folder: Path, seed: int = 7) -> list[Example]:
    return augmented(examples, rewriter, folder, seed, CPU, Reporter(folder, quiet=True))


def test_some_words_are_others_and_all_else_stays(rewriter: Path, tmp_path: Path) -> None:
    chance = random.Random(2)
    texts = [f"$ACME - Acme RISES 4%, {' '.join(chance.choices(FILLERS, k=9))} (unheard-of)!" for _ in range(60)]
    new = written([Example(text, {"topic": 1}, source="wire") for text in texts], rewriter, tmp_path / "kept")
    assert all(one == Example(one.text, source="wire") for one in new)
    assert sum(one.text != text for one, text in zip(new, texts, strict=True)) > 50
    for one, text in zip(new, texts, strict=True):
        assert one.text.endswith(" (unheard-of)!")
        assert " 4%, " in one.text
        assert one.text[1:].split(" ")[0].isupper()  # the case is that of what was there
        before, after = text.casefold().split(), one.text.casefold().split()
        changed = [word for word, other in zip(before, after, strict=True) if word != other]
        assert len(changed) < len(before) / 2 + 4
        assert {"".join(filter(str.isalpha, word)) for word in after[:-1]} - {""} <= KNOWN


def test_the_texts_are_kept_and_others_belong_to_another_seed(
    rewriter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = [Example(f"acme rises {word} bo ka") for word in FILLERS[:30]]
    first = written(examples, rewriter, tmp_path / "kept")
    assert written(examples, rewriter, tmp_path / "kept", seed=8) != first
    monkeypatch.setattr("models.training.augmentation.augmented._Writer", None)
    assert written(examples, rewriter, tmp_path / "kept") == first


def test_an_encoder_that_guesses_nothing_is_refused(hiding_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="let moodwire model pretrain do it"):
        written([Example("acme rises")], hiding_encoder, tmp_path / "kept")


def test_a_share_above_one_takes_each_text_so_often() -> None:
    examples = [Example(str(number)) for number in range(400)]
    assert chosen(examples, 2.0, random.Random(1)) == examples * 2
    assert 60 < len(chosen(examples, 0.25, random.Random(1))) < 140
    assert 440 < len(chosen(examples, 1.25, random.Random(1))) < 560
