"""What a step descends. Needs the extra `train`."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

import torch

from models.training.data.batches import Encoded, EntityTokens, collate
from models.training.data.example import UNKNOWN
from models.training.data.heads import TAGS, HeadSpec
from models.training.encoder.tensors import Tensors, to_tensors
from models.training.learning.losses import hard_loss, soft_loss

HEADS = {
    "mood": HeadSpec("text", ("a", "b")),
    "entity": HeadSpec("entity", ("a", "b")),
    "names": HeadSpec("names", TAGS),
}
WEIGHTS = {"names": 0.5}
ROWS = [
    Encoded(
        0, [2, 5, 6, 3], {"mood": 1}, {}, {"entity": [EntityTokens([1], 0), EntityTokens([2], 1)]}, [-100, 1, 2, -100]
    ),
    Encoded(1, [2, 7, 3], {}, {}, {}, [-100, 0, -100]),
]


def one_hot(labels: list[int], size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([np.eye(size)[label] if label >= 0 else np.zeros(size) for label in labels], np.float32)


def batch(rows: list[Encoded]) -> Tensors:
    return to_tensors(collate(rows, HEADS, 0), torch.device("cpu"))


@pytest.fixture
def logits() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return {"mood": torch.randn(2, 2), "entity": torch.randn(2, 2), "names": torch.randn(2, 4, 3)}


def test_each_label_weighs_the_same_and_a_texts_words_count_once(logits: dict[str, torch.Tensor]) -> None:
    entropy = torch.nn.functional.cross_entropy
    wanted = entropy(logits["mood"][:1], torch.tensor([1]))
    wanted += entropy(logits["entity"], torch.tensor([0, 1]), reduction="sum")
    wanted += 0.5 * entropy(logits["names"][0, 1:3], torch.tensor([1, 2]))
    wanted += 0.5 * entropy(logits["names"][1, 1:2], torch.tensor([0]))
    assert hard_loss(logits, batch(ROWS), WEIGHTS, 0.0).item() == pytest.approx(wanted.item() / 2, rel=1e-5)


def test_a_row_that_says_nothing_moves_nothing(logits: dict[str, torch.Tensor]) -> None:
    silent = [replace(row, labels={}, entities={}, tags=None) for row in ROWS]
    nothing = {**logits, "entity": torch.zeros(0, 2)}
    assert hard_loss(nothing, batch(silent), WEIGHTS, 0.1).item() == 0
    assert soft_loss(nothing, batch(silent), WEIGHTS, 1.0).item() == 0


def test_a_weight_of_a_half_halves(logits: dict[str, torch.Tensor]) -> None:
    only = {"mood": logits["mood"]}
    halved = [replace(row, weights={"mood": 0.5}) for row in ROWS]
    assert hard_loss(only, batch(halved), {}, 0.1) == pytest.approx(hard_loss(only, batch(ROWS), {}, 0.1) / 2)


def test_teachers_that_are_sure_of_the_labels_teach_the_labels(logits: dict[str, torch.Tensor]) -> None:
    said = [
        {"mood": one_hot([1], 2)[0], "entity": one_hot([0, 1], 2), "names": one_hot([UNKNOWN, 1, 2, UNKNOWN], 3)},
        {"names": one_hot([UNKNOWN, 0, UNKNOWN], 3)},
    ]
    taught = [replace(row, soft=soft) for row, soft in zip(ROWS, said, strict=True)]
    soft = soft_loss(logits, batch(taught), WEIGHTS, 1.0)
    assert soft.item() == pytest.approx(hard_loss(logits, batch(ROWS), WEIGHTS, 0.0).item(), rel=1e-5)


def test_temperature_keeps_the_size_of_the_pull(logits: dict[str, torch.Tensor]) -> None:
    even = np.array([0.5, 0.5], np.float32)
    pulls = []
    for temperature in (1.0, 4.0):
        scores = (0.01 * logits["mood"]).requires_grad_()
        taught = [replace(ROWS[0], soft={"mood": even}), ROWS[1]]
        soft_loss({"mood": scores}, batch(taught), {}, temperature).backward()
        pulls.append(scores.grad.abs().sum().item())
    assert pulls[0] == pytest.approx(pulls[1], rel=0.05)
