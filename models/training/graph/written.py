"""A BERT encoder and its heads as an ONNX graph, in float32, float16 or int8.

Written out node by node rather than traced, for reasons that were measured (onnxruntime 1.32, headlines of 20
tokens, processors with and without VNNI):

- Nothing is quantised by what else is in its batch. The usual dynamic int8 takes one scale for all of it, so that a
  text's score depends on its neighbours: logits moved by up to 0.86. Here a token has a scale of its own, or one
  that holds for all texts (`graph_int8`), and the answers lie closer to float32.
- Between the layers' products are as few passes over the numbers as can be: where VNNI multiplies, a third
  of the time goes there. Tokens lie in one matrix and are quantised in one node.
- Attention is one node: for int8 the standard's, whose kernel takes two thirds of onnxruntime's own.
- Add and LayerNormalization stay apart, and for int8 Add and Gelu: onnxruntime's fused kernels are ten times
  and one and a half times as slow as the plain ones.

    graph_nodes ─┬─ graph_bert ── graph_int8 ─┐
                 └─ graph_heads ──────────────┴─ graph          graph_traced: encoders of other kinds
"""

from collections.abc import Mapping, Sequence

import onnx

from models.training.data.heads import HeadSpec
from models.training.errors import TrainingError
from models.training.graph.bert import BertGraph, BertShape
from models.training.graph.heads import add_heads, finished
from models.training.graph.int8 import BertInt8Graph, inputs_of_matrices, without_value_biases
from models.training.graph.nodes import Precision, Weights

__all__ = ["build"]


def build(
    weights: Weights,
    heads: Mapping[str, HeadSpec],
    shape: BertShape,
    *,
    precision: Precision,
    examples: Sequence[Sequence[int]] = (),
) -> onnx.ModelProto:
    """Returns the network as ONNX.

    Inputs `input_ids` and `attention_mask`, int64 [rows, tokens], at most `shape.max_tokens` tokens; one output
    a head of its name, float32 logits, see `graph_heads`. `weights` have the names of a BERT encoder's state and
    `heads.NAME.weight`, `heads.NAME.bias`. int8 needs `examples`, token numbers of some texts: they tell what the
    layers' matrices get. Raises `TrainingError` when it is given none.
    """
    graph: BertGraph
    if precision == "int8":
        if not examples:
            raise TrainingError("int8 is made for the inputs of a network's matrices; give it texts as examples")
        weights = without_value_biases(weights, shape.layers)
        graph = BertInt8Graph(weights, inputs_of_matrices(weights, shape, examples), shape)
    else:
        graph = BertGraph(weights, precision, shape)
    hidden = graph.encoder()
    add_heads(graph, graph.in_rows(hidden), weights, heads)
    return finished(graph, heads)
