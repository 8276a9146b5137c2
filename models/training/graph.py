"""The network as an ONNX graph, in float32 or int8.

Written out node by node rather than traced, for three reasons that were measured (onnxruntime 1.32, a
processor without VNNI, headlines of 20 tokens):

- Every token is quantised with its own scale. The usual dynamic int8 takes one scale for a whole batch,
  so that a text's score depends on its neighbours: logits moved by up to 0.86. Here they do not move, and
  the answers lie closer to float32.
- Weights keep 7 bits (-63 … 63), so that sums of two products of 8 bits stay below 32,767, where processors
  without VNNI saturate (onnxruntime issues 14642 and 6004).
- Add and LayerNormalization stay apart: onnxruntime's fused kernel is ten times as slow as its plain one.

The layers are BERT's (Devlin et al. 2019, arXiv 1810.04805): attention, feed-forward, norms after the sums.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, npt.NDArray[np.float32]]
Precision = Literal["fp32", "int8"]

_CONTRIB = "com.microsoft"
_WEIGHT_LIMIT = 63
_TOKEN_LIMIT = 127
_TINY = 1e-8
"""The least scale of a token: a vector of zeros must not divide by zero."""


class GraphBuilder:
    """Collects nodes and constants; each method adds a piece and returns the name of its output."""

    def __init__(self, weights: Weights, precision: Precision, attention_heads: int, epsilon: float) -> None:
        self.weights = weights
        self.precision = precision
        self.attention_heads = attention_heads
        self.epsilon = epsilon
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Add a constant once and return its name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def number(self, value: float) -> str:
        """Add a float32 scalar."""
        return self.constant(f"number {value:g}", np.array(value, np.float32))

    def axis(self, value: int) -> str:
        """Add an axis (or a position) as an int64 vector of one."""
        return self.constant(f"axis {value}", np.array([value], np.int64))

    def node(self, kind: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        name = f"{kind} {len(self.nodes)}"
        made = helper.make_node(kind, inputs, [output or name], name=name, domain=domain, **attributes)
        self.nodes.append(made)
        return output or name

    def embeddings(self, max_tokens: int) -> str:
        """Sum word and position vectors, [rows, tokens, width]; the token type is always the first."""
        places = self.weights["embeddings.position_embeddings.weight"][:max_tokens]
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        length = self.node("Shape", "input_ids", start=1, end=2)
        used = self.node("Slice", self.constant("places", places), self.axis(0), length, self.axis(0))
        return self.norm(self.node("Add", self.words(), used), "embeddings.LayerNorm")

    def words(self) -> str:
        """Look up the word vectors; in int8 each word has its own scale."""
        table = self.weights["embeddings.word_embeddings.weight"]
        if self.precision == "fp32":
            return self.node("Gather", self.constant("words", table), "input_ids")
        whole, scales = quantised(table, axis=1, limit=_TOKEN_LIMIT)
        picked = self.node("Gather", self.constant("words", whole), "input_ids")
        scale = self.node("Gather", self.constant("word scales", scales), "input_ids")
        return self.node("Mul", self.node("Cast", picked, to=TensorProto.FLOAT), scale)

    def linear(self, source: str, *names: str) -> list[str]:
        """Multiply `source` with the matrices `names`, without their biases."""
        if self.precision == "fp32":
            return [self.node("MatMul", source, self.constant(name, self.weights[name].T)) for name in names]
        largest = self.node("ReduceMax", self.node("Abs", source), self.axis(-1), keepdims=1)
        scale = self.node("Max", largest, self.number(_TINY))
        step, zero = self.number(1 / _TOKEN_LIMIT), self.constant("middle", np.array(128, np.uint8))
        whole = self.node("QuantizeLinear", self.node("Div", source, scale), step, zero)
        products = []
        for name in names:
            matrix, scales = quantised(self.weights[name].T, axis=0, limit=_WEIGHT_LIMIT)
            factors = [self.constant(name, matrix), step, self.constant(f"{name} scales", scales[0]), zero]
            product = self.node("MatMulIntegerToFloat", whole, *factors, domain=_CONTRIB)
            products.append(self.node("Mul", product, scale))
        return products

    def norm(self, source: str, name: str) -> str:
        """Normalise each token's vector."""
        gain, bias = (self.constant(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", source, gain, bias, axis=-1, epsilon=self.epsilon)

    def bias(self, name: str) -> str:
        """Add the bias of the layer `name` as a constant."""
        return self.constant(f"{name}.bias", self.weights[f"{name}.bias"])

    def layer(self, source: str, number: int, mask: str) -> str:
        """Add one transformer layer, [rows, tokens, width] in and out."""
        prefix = f"encoder.layer.{number}"
        parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
        views = self.linear(source, *(f"{part}.weight" for part in parts))
        biases = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        mixed = self.node(
            "MultiHeadAttention",
            *views,
            self.constant(f"{prefix} attention biases", biases),
            mask,
            domain=_CONTRIB,
            num_heads=self.attention_heads,
        )
        (projected,) = self.linear(mixed, f"{prefix}.attention.output.dense.weight")
        attended = self.residual(source, projected, f"{prefix}.attention.output")
        (widened,) = self.linear(attended, f"{prefix}.intermediate.dense.weight")
        bent = self.node("BiasGelu", widened, self.bias(f"{prefix}.intermediate.dense"), domain=_CONTRIB)
        (narrowed,) = self.linear(bent, f"{prefix}.output.dense.weight")
        return self.residual(attended, narrowed, f"{prefix}.output")

    def residual(self, source: str, change: str, name: str) -> str:
        """Add a layer's change and its bias to its input, then normalise."""
        biased = self.node("Add", change, self.bias(f"{name}.dense"))
        return self.norm(self.node("Add", biased, source), f"{name}.LayerNorm")

    def mean(self, source: str) -> str:
        """Average the token vectors under the mask, float64 [rows, width].

        In float64 from here: float32 kernels for one row and for many may differ in the last bit.
        """
        kept = self.node("Cast", "attention_mask", to=TensorProto.DOUBLE)
        wide = self.node("Cast", source, to=TensorProto.DOUBLE)
        masked = self.node("Mul", wide, self.node("Unsqueeze", kept, self.axis(2)))
        total = self.node("ReduceSum", masked, self.axis(1), keepdims=0)
        return self.node("Div", total, self.node("ReduceSum", kept, self.axis(1), keepdims=1))

    def head(self, source: str, name: str) -> None:
        """Add the output `name`, float32 [rows, labels]."""
        matrix = self.constant(f"{name} matrix", self.weights[f"heads.{name}.weight"].T.astype(np.float64))
        bias = self.constant(f"{name} bias", self.weights[f"heads.{name}.bias"].astype(np.float64))
        logits = self.node("Add", self.node("MatMul", source, matrix), bias)
        self.node("Cast", logits, output=name, to=TensorProto.FLOAT)


def build(
    weights: Weights,
    heads: Mapping[str, Sequence[str]],
    *,
    precision: Precision,
    layers: int,
    attention_heads: int,
    epsilon: float,
    max_tokens: int,
) -> onnx.ModelProto:
    """Return the network as ONNX.

    Inputs `input_ids` and `attention_mask`, int64 [rows, tokens], at most `max_tokens` tokens; one output a
    head of its name, float32 logits [rows, labels]. `weights` have the names of a BERT encoder's state and
    `heads.NAME.weight`, `heads.NAME.bias`.
    """
    graph = GraphBuilder(weights, precision, attention_heads, epsilon)
    hidden = graph.embeddings(max_tokens)
    mask = graph.node("Cast", "attention_mask", to=TensorProto.INT32)
    for number in range(layers):
        hidden = graph.layer(hidden, number, mask)
    mean = graph.mean(hidden)
    for name in heads:
        graph.head(mean, name)
    inputs = [_value(name, TensorProto.INT64, "tokens") for name in ("input_ids", "attention_mask")]
    outputs = [_value(name, TensorProto.FLOAT, len(labels)) for name, labels in heads.items()]
    made = helper.make_graph(graph.nodes, "moodwire", inputs, outputs, list(graph.constants.values()))
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(_CONTRIB, 1)]
    return helper.make_model(made, opset_imports=versions, ir_version=9, producer_name="moodwire")


def quantised(
    matrix: npt.NDArray[np.float32], *, axis: int, limit: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return whole numbers in -limit … limit and scales (`axis` kept, of length 1); their product is `matrix`."""
    scales = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True), _TINY) / limit
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def _value(name: str, kind: int, width: int | str) -> Any:
    return helper.make_tensor_value_info(name, kind, ["rows", width])
