"""What is trained is what is exported; and a step of training does what it says. Needs the extra `train`."""

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="exporting needs the extra `train`")

import onnxruntime as ort
import torch
from transformers import BertConfig, BertModel

from models.training import network as networks
from models.training.data import UNLABELLED
from models.training.export import read_weights
from models.training.graph import build
from models.training.train import Encoded, bucketed, head_losses, rate_at

HEADS = {"sentiment": ("negative", "neutral", "positive"), "topic": ("a", "b")}
CONFIG = BertConfig(
    vocab_size=50,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=32,
    max_position_embeddings=12,
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    encoder = BertModel(CONFIG, add_pooling_layer=False)
    networks.save(networks.HeadedEncoder(encoder, HEADS).eval(), tmp_path)
    return tmp_path


def test_the_exported_graph_answers_as_the_trained_network(checkpoint: Path) -> None:
    ids = torch.randint(0, 50, (4, 9))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    with torch.no_grad():
        wanted = networks.load(checkpoint, HEADS)(ids, mask)
    graph = build(
        read_weights(checkpoint),
        HEADS,
        precision="fp32",
        layers=CONFIG.num_hidden_layers,
        attention_heads=CONFIG.num_attention_heads,
        epsilon=CONFIG.layer_norm_eps,
        max_tokens=12,
    )
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(other, one.numpy(), atol=1e-4)


def test_a_row_without_a_label_moves_no_head() -> None:
    logits = [torch.randn(2, 3), torch.randn(2, 2)]
    both = {"sentiment": torch.tensor([1, UNLABELLED]), "topic": torch.tensor([UNLABELLED, UNLABELLED])}
    loss = head_losses(logits, both, smoothing=0.0)
    expected = torch.nn.functional.cross_entropy(logits[0][:1], torch.tensor([1])) / 2
    assert loss.item() == pytest.approx(expected.item())


def test_every_row_comes_once_an_epoch_among_rows_of_its_length() -> None:
    rows = [Encoded([0] * length, {}) for length in range(1, 101)]
    batches = list(bucketed(rows, 10, random.Random(1)))
    assert sorted(len(row.ids) for batch in batches for row in batch) == list(range(1, 101))
    spreads = [max(len(row.ids) for row in batch) - min(len(row.ids) for row in batch) for batch in batches]
    assert max(spreads) == 9


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = [rate_at(step, steps=100, warmup=10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == 0
