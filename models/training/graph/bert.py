"""The layers of a BERT encoder as ONNX nodes, in float32 or float16 (Devlin et al. 2019, arXiv 1810.04805).

Attention, feed-forward, norms after the sums. `graph` says what was measured, `graph_int8` has the same for int8.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from models.training.graph.nodes import CONTRIB, Graph, Precision, Weights

__all__ = ["ACTIVATIONS", "BertGraph", "BertShape"]

ACTIVATIONS = ("gelu", "relu")
"""What the widening layers may be followed by."""

GELU_LEAST = 0.1701
"""GELU's least value is -0.16997, -0.17004 with tanh."""


@dataclass(frozen=True, slots=True)
class BertShape:
    """What a BERT's weights do not tell of it."""

    layers: int
    attention_heads: int
    epsilon: float
    max_tokens: int
    activation: str = "gelu"
    """One of `ACTIVATIONS`."""


class BertGraph(Graph):
    """Adds BERT's pieces."""

    def __init__(self, weights: Weights, precision: Precision, shape: BertShape) -> None:
        super().__init__(precision)
        self.weights = weights
        self.bert = shape
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]
        self.shape = ""
        self.mask = ""

    def begin(self) -> str:
        """Adds what comes before the layers; returns the tokens' vectors, [tokens of all rows, width]."""
        vectors = self.embeddings()
        self.shape = self.node("Shape", vectors)
        self.mask = self.node("Cast", "attention_mask", to=TensorProto.INT32)
        return self.flat(vectors)

    def encoder(self) -> str:
        """Adds the whole encoder; returns its tokens' vectors, [tokens of all rows, width]."""
        hidden = self.begin()
        for number in range(self.bert.layers):
            hidden = self.layer(hidden, number)
        return hidden

    def embeddings(self) -> str:
        """Sums word and position vectors, [rows, tokens, width]; the token type is always the first."""
        places = self.weights["embeddings.position_embeddings.weight"][: self.bert.max_tokens]
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        length = self.node("Shape", "input_ids", start=1, end=2)
        used = self.node("Slice", self.weight("places", places), self.axis(0), length, self.axis(0))
        words = self.rows_of(self.weights["embeddings.word_embeddings.weight"], "words", "input_ids")
        return self.norm(self.node("Add", words, used), "embeddings.LayerNorm")

    def matrices(self, *names: str) -> Weights:
        """The transposed weights of layers, [in, out]."""
        return {f"{name}.weight": self.weights[f"{name}.weight"].T for name in names}

    def norm(self, source: str, name: str) -> str:
        """Normalises each token's vector."""
        gain, bias = (self.weight(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", source, gain, bias, axis=-1, epsilon=self.bert.epsilon)

    def bias(self, name: str) -> str:
        """Adds the bias of the layer `name` as a constant."""
        return self.weight(f"{name}.bias", self.weights[f"{name}.bias"])

    def layer(self, source: str, number: int) -> str:
        """Adds one transformer layer, [tokens, width] in and out."""
        prefix = f"encoder.layer.{number}"
        attended = self.residual(source, self.attention(source, f"{prefix}.attention"), f"{prefix}.attention.output")
        return self.residual(attended, self.feed_forward(attended, prefix), f"{prefix}.output")

    def attention(self, source: str, prefix: str) -> str:
        """Adds what the tokens of a row tell each other, [tokens, width] in and out."""
        parts = [f"{prefix}.self.{part}" for part in ("query", "key", "value")]
        biases = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        mixed = self.node(
            "MultiHeadAttention",
            *(self.in_rows(one) for one in self.linear(source, self.matrices(*parts))),
            self.weight(f"{prefix} biases", biases),
            self.mask,
            domain=CONTRIB,
            num_heads=self.bert.attention_heads,
        )
        (projected,) = self.linear(self.flat(mixed), self.matrices(f"{prefix}.output.dense"))
        return self.biased(projected, f"{prefix}.output.dense")

    def feed_forward(self, source: str, prefix: str) -> str:
        """Adds what a token makes of itself, [tokens, width] in and out."""
        narrowing = f"{prefix}.output.dense"
        bent = self.bent(source, f"{prefix}.intermediate.dense")
        (narrowed,) = self.linear(bent, self.matrices(narrowing), least=GELU_LEAST)
        return self.biased(narrowed, narrowing)

    def bent(self, source: str, name: str) -> str:
        """Adds the widening layer `name` and its activation, [tokens, width] in and [tokens, wide] out."""
        (widened,) = self.linear(source, self.matrices(name))
        if self.bert.activation == "relu":
            return self.node("Relu", self.biased(widened, name))
        return self.node("BiasGelu", widened, self.bias(name), domain=CONTRIB)

    def biased(self, source: str, name: str) -> str:
        """Adds the bias of the layer `name`."""
        return self.node("Add", source, self.bias(name))

    def residual(self, source: str, change: str, name: str) -> str:
        """Adds a layer's change to its input, then normalise."""
        return self.norm(self.node("Add", change, source), f"{name}.LayerNorm")

    def flat(self, source: str) -> str:
        """[rows, tokens, width] as [tokens of all rows, width]: a token is what is quantised."""
        return self.node("Reshape", source, self.constant("flat", np.array([-1, self.width])))

    def in_rows(self, source: str) -> str:
        """The other way round."""
        return self.node("Reshape", source, self.shape)
