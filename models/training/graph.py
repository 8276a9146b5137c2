"""A BERT encoder and its heads as an ONNX graph, in float32, float16 or int8.

Written out node by node rather than traced, for three reasons that were measured (onnxruntime 1.32, a
processor without VNNI, headlines of 20 tokens):

- Every token is quantised with its own scale. The usual dynamic int8 takes one scale for a whole batch,
  so that a text's score depends on its neighbours: logits moved by up to 0.86. Here they do not move, and
  the answers lie closer to float32.
- Attention and the bend after the first wide matrix are one node each.
- Add and LayerNormalization stay apart: onnxruntime's fused kernel is ten times as slow as its plain one.

The layers are BERT's (Devlin et al. 2019, arXiv 1810.04805): attention, feed-forward, norms after the sums.
Encoders of other kinds are traced, see `graph_traced`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from models.training.graph_heads import add_heads, head_outputs
from models.training.graph_nodes import CONTRIB, Graph, Precision, Weights, quantised
from models.training.heads import HeadSpec

__all__ = ["Precision", "Weights", "build", "finished", "quantised"]


class BertGraph(Graph):
    """Adds BERT's pieces."""

    def __init__(self, weights: Weights, precision: Precision, attention_heads: int, epsilon: float) -> None:
        super().__init__(precision)
        self.weights = weights
        self.attention_heads = attention_heads
        self.epsilon = epsilon

    def embeddings(self, max_tokens: int) -> str:
        """Sum word and position vectors, [rows, tokens, width]; the token type is always the first."""
        places = self.weights["embeddings.position_embeddings.weight"][:max_tokens]
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        length = self.node("Shape", "input_ids", start=1, end=2)
        used = self.node("Slice", self.weight("places", places), self.axis(0), length, self.axis(0))
        words = self.rows_of(self.weights["embeddings.word_embeddings.weight"], "words", "input_ids")
        return self.norm(self.node("Add", words, used), "embeddings.LayerNorm")

    def matrices(self, *names: str) -> Weights:
        """The transposed weights of layers, [in, out]."""
        return {f"{name}.weight": self.weights[f"{name}.weight"].T for name in names}

    def norm(self, source: str, name: str) -> str:
        """Normalise each token's vector."""
        gain, bias = (self.weight(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", source, gain, bias, axis=-1, epsilon=self.epsilon)

    def bias(self, name: str) -> str:
        """Add the bias of the layer `name` as a constant."""
        return self.weight(f"{name}.bias", self.weights[f"{name}.bias"])

    def layer(self, source: str, number: int, mask: str) -> str:
        """Add one transformer layer, [rows, tokens, width] in and out."""
        prefix = f"encoder.layer.{number}"
        parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
        biases = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        mixed = self.node(
            "MultiHeadAttention",
            *self.linear(source, self.matrices(*parts)),
            self.weight(f"{prefix} attention biases", biases),
            mask,
            domain=CONTRIB,
            num_heads=self.attention_heads,
        )
        (projected,) = self.linear(mixed, self.matrices(f"{prefix}.attention.output.dense"))
        attended = self.residual(source, projected, f"{prefix}.attention.output")
        (widened,) = self.linear(attended, self.matrices(f"{prefix}.intermediate.dense"))
        bent = self.node("BiasGelu", widened, self.bias(f"{prefix}.intermediate.dense"), domain=CONTRIB)
        (narrowed,) = self.linear(bent, self.matrices(f"{prefix}.output.dense"))
        return self.residual(attended, narrowed, f"{prefix}.output")

    def residual(self, source: str, change: str, name: str) -> str:
        """Add a layer's change and its bias to its input, then normalise."""
        biased = self.node("Add", change, self.bias(f"{name}.dense"))
        return self.norm(self.node("Add", biased, source), f"{name}.LayerNorm")


def build(
    weights: Weights,
    heads: Mapping[str, HeadSpec],
    *,
    precision: Precision,
    layers: int,
    attention_heads: int,
    epsilon: float,
    max_tokens: int,
) -> onnx.ModelProto:
    """Return the network as ONNX.

    Inputs `input_ids` and `attention_mask`, int64 [rows, tokens], at most `max_tokens` tokens; one output a
    head of its name, float32 logits, see `graph_heads`. `weights` have the names of a BERT encoder's state and
    `heads.NAME.weight`, `heads.NAME.bias`.
    """
    graph = BertGraph(weights, precision, attention_heads, epsilon)
    hidden = graph.embeddings(max_tokens)
    mask = graph.node("Cast", "attention_mask", to=TensorProto.INT32)
    for number in range(layers):
        hidden = graph.layer(hidden, number, mask)
    add_heads(graph, hidden, weights, heads)
    return finished(graph, heads)


def finished(graph: Graph, heads: Mapping[str, HeadSpec]) -> onnx.ModelProto:
    """Return the graph with its inputs and outputs declared, as a model."""
    inputs = [_input(name) for name in ("input_ids", "attention_mask")]
    made = helper.make_graph(graph.nodes, "moodwire", inputs, head_outputs(heads), list(graph.constants.values()))
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=versions, ir_version=9, producer_name="moodwire")


def _input(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
