"""Any Hugging Face encoder as an ONNX graph: traced by torch, then made small, with our heads behind it.

What `graph` writes out by hand is BERT. Others (MPNet has a relative attention bias) are traced in float32, and:

    int8   each product with a constant matrix is replaced by one whose tokens are quantised with scales of their
           own, as in `graph`; the word table is stored in 8 bits
    fp16   onnxruntime's converter for the products and their biases. What lies between stays float32: GELU as traced
           cancels in 1 + erf, and what every layer adds to drifts. In float16 one label in seven hundred fell
           otherwise, so one in seven thousand does. The heads stay float64

Attention stays as traced, so a traced BERT is slower than a written one and answers the same.
"""

import io
import warnings
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from models.runtime import import_runtime
from models.training.data.heads import HeadSpec
from models.training.graph.heads import add_heads, finished
from models.training.graph.nodes import Graph, Precision, Weights

__all__ = ["build_traced"]

_HIDDEN = "hidden"
_BETWEEN = {"LayerNormalization", "Softmax", "Erf", "Div", "Mul", "Tanh"}
_TABLE_ROWS = 1_000
"""Tables of fewer rows (positions, buckets of distance) are kept as they are: they weigh nothing."""


class _Vectors(nn.Module):
    """The encoder's token vectors and nothing else."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def build_traced(
    encoder: nn.Module, weights: Weights, heads: Mapping[str, HeadSpec], *, precision: Precision
) -> onnx.ModelProto:
    """Returns the encoder with its heads as ONNX, with the inputs and outputs that `graph.build` gives.

    `weights` hold `heads.NAME.weight` and `heads.NAME.bias`; the encoder's are its own.
    """
    traced = _trace(encoder)
    if precision == "fp16":
        traced = _halved(traced)
    graph = Graph(precision)
    graph.constants = {one.name: one for one in traced.graph.initializer}
    for nodes in _shared_sources(traced.graph.node, graph.constants):
        graph.nodes += _int8(graph, nodes) if precision == "int8" else nodes
    add_heads(graph, _HIDDEN, weights, heads)
    _drop_unused(graph)
    return finished(graph, heads)


def _trace(encoder: nn.Module) -> onnx.ModelProto:
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens")
    free = {0: rows, 1: tokens}
    ids = torch.ones(3, 7, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "# The axis name")  # both inputs have the same axes, and shall
        program = torch.onnx.export(
            _Vectors(encoder).eval(),
            (ids, torch.ones_like(ids)),
            dynamo=True,
            dynamic_shapes={"input_ids": free, "attention_mask": free},
            input_names=["input_ids", "attention_mask"],
            output_names=[_HIDDEN],
            opset_version=18,
            verbose=False,
        )
    written = io.BytesIO()
    program.save(written)
    return onnx.load_model_from_string(written.getvalue())


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    import_runtime()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    biases = {one.name for one in model.graph.initializer if len(one.dims) == 1}
    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = [*inferred.value_info, *inferred.output]
    floats = {one.name for one in known if one.type.tensor_type.elem_type == TensorProto.FLOAT}
    single = [node.name for node in model.graph.node if node.output[0] in floats and _between(node, biases)]
    halved = convert_float_to_float16(model, keep_io_types=False, disable_shape_infer=False, node_block_list=single)
    _join_casts(halved.graph, set(single))
    return halved


def _between(node: Any, biases: Set[str]) -> bool:
    return node.op_type in _BETWEEN or (node.op_type == "Add" and biases.isdisjoint(node.input))


def _join_casts(graph: Any, single: Set[str]) -> None:
    """What goes from one of the nodes `single` by float16 to another stays float32."""
    exact = {name for node in graph.node if node.name in single for name in node.output}
    rounded = {
        node.output[0]: node.input[0]
        for node in graph.node
        if _casts_to(node, TensorProto.FLOAT16) and node.input[0] in exact
    }
    back = {
        node.output[0]: rounded[node.input[0]]
        for node in graph.node
        if _casts_to(node, TensorProto.FLOAT) and node.input[0] in rounded
    }
    for node in graph.node:
        for number, name in enumerate(node.input):
            node.input[number] = back.get(name, name)


def _casts_to(node: Any, kind: int) -> bool:
    return node.op_type == "Cast" and node.attribute[0].i == kind


def _shared_sources(nodes: Sequence[Any], constants: Mapping[str, Any]) -> list[list[Any]]:
    """Returns the nodes in order, those that multiply one source with constant matrices together, at the first's place.

    That is in order still: what the later ones need, the first one needed too.
    """
    groups: list[list[Any]] = []
    of_source: dict[str, list[Any]] = {}
    for node in nodes:
        if not _is_linear(node, constants):
            groups.append([node])
        elif node.input[0] in of_source:
            of_source[node.input[0]].append(node)
        else:
            of_source[node.input[0]] = [node]
            groups.append(of_source[node.input[0]])
    return groups


def _int8(graph: Graph, nodes: Sequence[Any]) -> list[Any]:
    """Returns what replaces `nodes`, a group of `_shared_sources`, in int8."""
    small = Graph("int8")
    small.constants = graph.constants
    small.nodes = [None] * len(graph.nodes)  # so that names go on where the graph's ended
    first = nodes[0]
    if _is_linear(first, graph.constants):
        matrices = {f"{node.input[1]} int8": numpy_helper.to_array(graph.constants[node.input[1]]) for node in nodes}
        for node, product in zip(nodes, _products(small, first.input[0], matrices), strict=True):
            small.node("Identity", product, output=node.output[0])
    elif _is_table(first, graph.constants):
        table = numpy_helper.to_array(graph.constants[first.input[0]])
        small.node("Identity", small.rows_of(table, f"{first.input[0]} int8", first.input[1]), output=first.output[0])
    else:
        return list(nodes)
    return small.nodes[len(graph.nodes) :]


def _products(graph: Graph, source: str, matrices: Weights) -> list[str]:
    """`Graph.linear` of [rows, tokens, in]."""
    width = next(iter(matrices.values())).shape[0]
    flat = graph.node("Reshape", source, graph.constant(f"flat {width}", np.array([-1, width])))
    outer = graph.node("Shape", source, start=0, end=-1)
    return [
        graph.node("Reshape", product, graph.node("Concat", outer, graph.axis(-1), axis=0))
        for product in graph.linear(flat, matrices)
    ]


def _is_linear(node: Any, constants: Mapping[str, Any]) -> bool:
    return (
        node.op_type == "MatMul"
        and node.input[1] in constants
        and constants[node.input[1]].data_type == TensorProto.FLOAT
        and len(constants[node.input[1]].dims) == 2
    )


def _is_table(node: Any, constants: Mapping[str, Any]) -> bool:
    if node.op_type != "Gather" or node.input[0] not in constants:
        return False
    table = constants[node.input[0]]
    return len(table.dims) == 2 and table.dims[0] >= _TABLE_ROWS and table.data_type == TensorProto.FLOAT


def _drop_unused(graph: Graph) -> None:
    used = {name for node in graph.nodes for name in node.input}
    graph.constants = {name: one for name, one in graph.constants.items() if name in used}
