"""A BERT encoder and its heads as an ONNX graph, in float32, float16 or int8.

Written out node by node rather than traced, for reasons that were measured (onnxruntime 1.32, headlines of 20
tokens, processors with and without VNNI):

- Every token is quantised with its own scale. The usual dynamic int8 takes one scale for a whole batch,
  so that a text's score depends on its neighbours: logits moved by up to 0.86. Here they do not move, and
  the answers lie closer to float32.
- Between the layers' products stand as few passes over the numbers as can be: where VNNI multiplies, a third
  of the time goes there. Tokens lie in one matrix and are quantised in one node, by a scale for each row.
- Attention is one node: for int8 the standard's, whose kernel takes two thirds of onnxruntime's own.
- Add and LayerNormalization stay apart, and for int8 Add and Gelu: onnxruntime's fused kernels are ten times
  and one and a half times as slow as the plain ones.

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

GELU_LEAST = 0.1701
"""GELU's least value is -0.16997, -0.17004 with tanh."""


class BertGraph(Graph):
    """Adds BERT's pieces."""

    def __init__(self, weights: Weights, precision: Precision, attention_heads: int, epsilon: float) -> None:
        super().__init__(precision)
        self.weights = weights
        self.attention_heads = attention_heads
        self.epsilon = epsilon
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]
        self.shape = ""
        self.mask = ""

    def begin(self, max_tokens: int) -> str:
        """Add what comes before the layers; return the tokens' vectors, [tokens of all rows, width]."""
        vectors = self.embeddings(max_tokens)
        self.shape = self.node("Shape", vectors)
        self.mask = self.node("Cast", "attention_mask", to=TensorProto.INT32)
        return self.flat(vectors)

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

    def layer(self, source: str, number: int) -> str:
        """Add one transformer layer, [tokens, width] in and out."""
        prefix = f"encoder.layer.{number}"
        attended = self.residual(source, self.attention(source, f"{prefix}.attention"), f"{prefix}.attention.output")
        (widened,) = self.linear(attended, self.matrices(f"{prefix}.intermediate.dense"))
        bent = self.bent(widened, self.bias(f"{prefix}.intermediate.dense"))
        (narrowed,) = self.linear(bent, self.matrices(f"{prefix}.output.dense"), least=GELU_LEAST)
        return self.residual(attended, self.biased(narrowed, f"{prefix}.output.dense"), f"{prefix}.output")

    def attention(self, source: str, prefix: str) -> str:
        """Add what the tokens of a row tell each other, [tokens, width] in and out."""
        parts = [f"{prefix}.self.{part}" for part in ("query", "key", "value")]
        biases = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        mixed = self.node(
            "MultiHeadAttention",
            *(self.in_rows(one) for one in self.linear(source, self.matrices(*parts))),
            self.weight(f"{prefix} biases", biases),
            self.mask,
            domain=CONTRIB,
            num_heads=self.attention_heads,
        )
        (projected,) = self.linear(self.flat(mixed), self.matrices(f"{prefix}.output.dense"))
        return self.biased(projected, f"{prefix}.output.dense")

    def bent(self, source: str, bias: str) -> str:
        """Add the bias, then GELU."""
        return self.node("BiasGelu", source, bias, domain=CONTRIB)

    def biased(self, source: str, name: str) -> str:
        """Add the bias of the layer `name`."""
        return self.node("Add", source, self.bias(name))

    def residual(self, source: str, change: str, name: str) -> str:
        """Add a layer's change to its input, then normalise."""
        return self.norm(self.node("Add", change, source), f"{name}.LayerNorm")

    def flat(self, source: str) -> str:
        """[rows, tokens, width] as [tokens of all rows, width]: a token is what is quantised."""
        return self.node("Reshape", source, self.constant("flat", np.array([-1, self.width])))

    def in_rows(self, source: str) -> str:
        """The other way round."""
        return self.node("Reshape", source, self.shape)


class BertInt8Graph(BertGraph):
    """The same for processors, out of the kernels that are fastest there.

    `Attention` takes no biases. That of the keys adds the same to all that a query is compared with, and softmax
    does not see it; that of the values comes out as it went in, since the shares sum to 1, so it is added after.
    """

    def begin(self, max_tokens: int) -> str:
        flat = super().begin(max_tokens)
        kept = self.node("Cast", "attention_mask", to=TensorProto.BOOL)
        between = self.constant("between", np.array([1, 2]))  # [rows, heads: any, queries: any, keys]
        length = self.node("Shape", "input_ids", start=1, end=2)
        rows = self.node("Shape", "input_ids", start=0, end=1)
        size = self.node("Concat", rows, self.axis(1), length, length, axis=0)
        self.mask = self.node("Expand", self.node("Unsqueeze", kept, between), size)
        return flat

    def attention(self, source: str, prefix: str) -> str:
        query, key, value = (f"{prefix}.self.{part}" for part in ("query", "key", "value"))
        queries, keys, values = self.linear(source, self.matrices(query, key, value))
        parts = [self.in_rows(one) for one in (self.biased(queries, query), keys, values)]
        heads = self.attention_heads
        mixed = self.node("Attention", *parts, self.mask, q_num_heads=heads, kv_num_heads=heads)
        last = f"{prefix}.output.dense"
        (projected,) = self.linear(self.flat(mixed), self.matrices(last))
        bias = self.weights[f"{last}.bias"] + self.weights[f"{last}.weight"] @ self.weights[f"{value}.bias"]
        return self.node("Add", projected, self.weight(f"{last}.bias", bias))

    def bent(self, source: str, bias: str) -> str:
        """GELU in its form with tanh (Hendrycks and Gimpel 2016, arXiv 1606.08415), a fifth faster: 0.0005 apart."""
        return self.node("Gelu", self.node("Add", source, bias), approximate="tanh")


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
    kind = BertInt8Graph if precision == "int8" else BertGraph
    graph = kind(weights, precision, attention_heads, epsilon)
    hidden = graph.begin(max_tokens)
    for number in range(layers):
        hidden = graph.layer(hidden, number)
    add_heads(graph, graph.in_rows(hidden), weights, heads)
    return finished(graph, heads)


def finished(graph: Graph, heads: Mapping[str, HeadSpec]) -> onnx.ModelProto:
    """Return the graph with its inputs and outputs declared, as a model."""
    inputs = [_input(name) for name in ("input_ids", "attention_mask")]
    made = helper.make_graph(graph.nodes, "moodwire", inputs, head_outputs(heads), list(graph.constants.values()))
    attention = any(node.op_type == "Attention" for node in graph.nodes)  # which is younger than all else
    versions = [helper.make_opsetid("", 23 if attention else 18), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=versions, ir_version=11 if attention else 9, producer_name="moodwire")


def _input(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
