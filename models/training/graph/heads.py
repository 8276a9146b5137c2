"""The heads of a network as ONNX: what follows the encoder, whoever wrote its graph.

    text     [rows, labels]           W·mean + b, mean being that of the token vectors h(t)
    names    [rows, tokens, labels]   W·h(t) + b
    entity   [rows, tokens, labels]   W1·h(t) + (W2·mean + b); its mean over an entity's tokens is the verdict on it

An entity head is linear in [mean of the entity ; mean of the text], W being [W1 W2]. So it needs no entity as input:
whoever reads the answers takes the mean (`models.token_heads`), for as many entities as a text has, and for names that
were found in the same pass.

All is float64 from here: float32 kernels for one row and for many may differ in the last bit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from models.training.data.heads import HeadSpec
from models.training.graph.nodes import CONTRIB, Graph, Weights

__all__ = ["add_heads", "finished", "model_of"]

_INPUTS = ("input_ids", "attention_mask")


def add_heads(graph: Graph, hidden: str, weights: Weights, heads: Mapping[str, HeadSpec]) -> None:
    """Adds an output for each head on the token vectors `hidden`, [rows, tokens, width].

    The graph must have the input `attention_mask`; `weights` hold `heads.NAME.weight`, [labels, width or twice it],
    and `heads.NAME.bias`.
    """
    wide = graph.node("Cast", hidden, to=TensorProto.DOUBLE)
    mean = _mean(graph, wide)
    for name, head in heads.items():
        matrix, bias = (weights[f"heads.{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        if head.kind == "entity":
            width = matrix.shape[1] // 2
            text = _affine(graph, mean, f"{name} text", matrix[:, width:], bias)
            own = graph.node("MatMul", wide, graph.constant(f"{name} own", matrix[:, :width].T))
            logits = graph.node("Add", own, graph.node("Unsqueeze", text, graph.axis(1)))
        else:
            logits = _affine(graph, mean if head.kind == "text" else wide, name, matrix, bias)
        graph.node("Cast", logits, output=name, to=TensorProto.FLOAT)


def finished(graph: Graph, heads: Mapping[str, HeadSpec]) -> onnx.ModelProto:
    """Returns the graph with its inputs and the heads' outputs declared, as a model."""
    return model_of(graph, _head_outputs(heads))


def model_of(graph: Graph, outputs: list[Any]) -> onnx.ModelProto:
    """Returns the graph with its inputs and `outputs` declared, as a model."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"]) for name in _INPUTS]
    made = helper.make_graph(graph.nodes, "moodwire", inputs, outputs, list(graph.constants.values()))
    attention = any(node.op_type == "Attention" for node in graph.nodes)  # which is younger than all else
    versions = [helper.make_opsetid("", 23 if attention else 18), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=versions, ir_version=11 if attention else 9, producer_name="moodwire")


def _head_outputs(heads: Mapping[str, HeadSpec]) -> list[Any]:
    """Returns the declarations of the outputs."""
    sizes = {
        name: ["rows", len(head.labels)] if head.kind == "text" else ["rows", "tokens", len(head.labels)]
        for name, head in heads.items()
    }
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]


def _mean(graph: Graph, wide: str) -> str:
    kept = graph.node("Cast", "attention_mask", to=TensorProto.DOUBLE)
    masked = graph.node("Mul", wide, graph.node("Unsqueeze", kept, graph.axis(2)))
    total = graph.node("ReduceSum", masked, graph.axis(1), keepdims=0)
    return graph.node("Div", total, graph.node("ReduceSum", kept, graph.axis(1), keepdims=1))


def _affine(graph: Graph, source: str, name: str, matrix: Any, bias: Any) -> str:
    product = graph.node("MatMul", source, graph.constant(f"{name} matrix", matrix.T))
    return graph.node("Add", product, graph.constant(f"{name} bias", bias))
