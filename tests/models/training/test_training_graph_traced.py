"""Encoders of other kinds are traced: the same answers in float32, close ones in float16 and int8."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("onnxscript", reason="tracing needs the extra `train`")

import onnxruntime as ort
import torch
from onnx import TensorProto
from torch import nn
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel

from models.training.data.heads import TAGS, HeadSpec
from models.training.encoder.network import HeadedEncoder
from models.training.graph import traced as graph_traced
from models.training.graph.nodes import Precision
from models.training.graph.traced import build_traced

HEADS = {
    "sentiment": HeadSpec("text", ("negative", "neutral", "positive")),
    "entity": HeadSpec("entity", ("negative", "neutral", "positive")),
    "names": HeadSpec("names", TAGS),
}
SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
SHAPES = [(3, 7), (1, 2), (5, 12)]

Arrays = dict[str, npt.NDArray[Any]]


def mpnet() -> nn.Module:
    return MPNetModel(MPNetConfig(**SIZES, max_position_embeddings=40), add_pooling_layer=False)


def bert() -> nn.Module:
    return BertModel(BertConfig(**SIZES, max_position_embeddings=40), add_pooling_layer=False)


def distilbert() -> nn.Module:
    return DistilBertModel(DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=64))


@pytest.fixture(params=[mpnet, bert, distilbert], ids=lambda build: build.__name__)
def network(request: pytest.FixtureRequest) -> HeadedEncoder:
    torch.manual_seed(3)
    made: HeadedEncoder = HeadedEncoder(request.param(), HEADS).eval()
    return made


def inputs(rows: int, tokens: int) -> Arrays:
    ids = np.random.default_rng(rows * tokens).integers(4, 60, (rows, tokens))
    mask = np.ones_like(ids)
    if rows > 1:
        mask[0, 2:] = 0
        ids[0, 2:] = 1  # MPNet counts its places over what is no padding
    return {"input_ids": ids, "attention_mask": mask}


def session(network: HeadedEncoder, precision: Precision, monkeypatch: pytest.MonkeyPatch) -> ort.InferenceSession:
    monkeypatch.setattr(graph_traced, "_TABLE_ROWS", 50)
    weights = {name: one.detach().numpy() for name, one in network.state_dict().items()}
    made = build_traced(network.encoder, weights, HEADS, precision=precision)
    kinds = {node.op_type for node in made.graph.node}
    assert ("MatMulIntegerToFloat" in kinds) == (precision == "int8")
    return ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])


def wanted(network: HeadedEncoder, fed: Arrays) -> Arrays:
    ids, mask = (torch.from_numpy(fed[name]) for name in ("input_ids", "attention_mask"))
    rows, tokens = (one.flatten() for one in torch.meshgrid(*(torch.arange(n) for n in ids.shape), indexing="ij"))
    alone = torch.eye(ids.shape[1])[tokens]
    with torch.no_grad():
        answers = network(ids, mask, {"entity": (rows, alone)})
    found = {name: one.numpy() for name, one in answers.items()}
    return found | {"entity": found["entity"].reshape(*ids.shape, 3)}


@pytest.mark.parametrize(("precision", "apart"), [("fp32", 1e-5), ("fp16", 0.02), ("int8", 0.2)])
def test_the_traced_graph_answers_as_the_network(
    network: HeadedEncoder, precision: Precision, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = session(network, precision, monkeypatch)
    for rows, tokens in SHAPES:
        fed = inputs(rows, tokens)
        kept = fed["attention_mask"].astype(bool)
        for (name, exact), found in zip(wanted(network, fed).items(), opened.run(list(HEADS), fed), strict=True):
            if name != "sentiment":
                exact, found = exact[kept], found[kept]
            assert np.abs(exact - found).max() <= apart, (name, rows, tokens)


def test_fp16_rounds_nothing_between_the_products(network: HeadedEncoder) -> None:
    weights = {name: one.detach().numpy() for name, one in network.state_dict().items()}
    nodes = build_traced(network.encoder, weights, HEADS, precision="fp16").graph.node
    maker = {name: node for node in nodes for name in node.output}
    between = [node for node in nodes if node.op_type in ("Erf", "LayerNormalization", "Softmax")]
    assert {node.op_type for node in between} == {"Erf", "LayerNormalization", "Softmax"}
    for node in between:
        source = maker[node.input[0]]
        assert not _casts(source, TensorProto.FLOAT16)
        if _casts(source, TensorProto.FLOAT):  # of what a product left in float16, not of what was rounded before
            assert not _casts(maker[source.input[0]], TensorProto.FLOAT16)


def _casts(node: Any, kind: int) -> bool:
    return bool(node.op_type == "Cast" and node.attribute[0].i == kind)


def test_int8_answers_a_row_alone_as_in_a_crowd(network: HeadedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = session(network, "int8", monkeypatch)
    crowd = inputs(5, 12)
    alone = {name: array[:1, :2] for name, array in crowd.items()}
    (one,), (many,) = opened.run(["sentiment"], alone), opened.run(["sentiment"], crowd)
    np.testing.assert_allclose(many[0], one[0], atol=2e-5)


def test_int8_is_the_smaller_file(network: HeadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(graph_traced, "_TABLE_ROWS", 50)
    weights = {name: one.detach().numpy() for name, one in network.state_dict().items()}
    sizes = {}
    for precision in ("fp32", "fp16", "int8"):
        made = build_traced(network.encoder, weights, HEADS, precision=precision)
        sizes[precision] = sum(len(one.raw_data) for one in made.graph.initializer)
    assert sizes["int8"] < 0.8 * sizes["fp16"] < 0.8 * sizes["fp32"]
