"""The layers of a BERT encoder in int8, out of the kernels that are fastest on processors.

What a norm or the attention gives is quantised with one scale for all tokens, so that the product's scales and biases
are the kernel's own work and no pass over its numbers is left. A few channels of it are ten times as large as all
others, in every text alike; so each channel is divided by a factor first and the matrix multiplied by it (SmoothQuant,
Xiao et al. 2023, arXiv 2211.10438). That is as exact as a scale for each token (both leave 1 label in 100 to 150 of
float32's), and 5 % faster. What GELU gives has such channels too, but no room for factors: there each token keeps a
scale of its own.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnx import TensorProto, helper

from models.training.graph_bert import BertGraph
from models.training.graph_heads import model_of
from models.training.graph_nodes import CONTRIB, TOKEN_LIMIT, WEIGHT_LIMIT, Weights, quantised

__all__ = ["BertInt8Graph", "Ranges", "channel_ranges", "factors", "without_value_biases"]

Ranges = Mapping[str, npt.NDArray[np.float32]]
"""By the name of a matrix: how large each channel of its input gets, [in]."""

INPUTS_SHARE = 0.7
"""How much of a channel's size its matrix takes over; between 0.5 and 0.7 the answers stay the same."""

_LEAST = 1e-3
"""The least size of a channel: one that is always 0 must not divide by zero."""


class BertInt8Graph(BertGraph):
    """BERT's pieces in int8; `weights` without biases of values, `ranges` of the inputs of all matrices.

    `Attention` takes no biases; that of the keys adds the same to all that a query is compared with, and softmax does
    not see it.
    """

    def __init__(self, weights: Weights, ranges: Ranges, attention_heads: int, epsilon: float) -> None:
        super().__init__(weights, "int8", attention_heads, epsilon)
        self.ranges = ranges

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
        last = f"{prefix}.output.dense"
        matrices = dict(self.matrices(query, key, value, last))
        spread = self._factors(last, matrices[f"{last}.weight"])
        matrices[f"{value}.weight"] = matrices[f"{value}.weight"] / spread  # so that what comes out is divided
        narrowing = {f"{last}.weight": matrices.pop(f"{last}.weight") * spread[:, np.newaxis]}
        queries, keys, values = self.smoothed(source, query, matrices, {f"{query}.weight": self.bias(query)})
        parts = [self.in_rows(one) for one in (queries, keys, values)]
        heads = self.attention_heads
        mixed = self.node("Attention", *parts, self.mask, q_num_heads=heads, kv_num_heads=heads)
        added = {f"{last}.weight": self.bias(last)}
        (projected,) = self.multiplied(self.flat(mixed), self._limit(last, spread), narrowing, added)
        return projected

    def bent(self, source: str, name: str) -> str:
        """GELU in its form with tanh (Hendrycks and Gimpel 2016, arXiv 1606.08415), a fifth faster: 0.0005 apart."""
        (widened,) = self.smoothed(source, name, self.matrices(name), {f"{name}.weight": self.bias(name)})
        return self.node("Gelu", widened, approximate="tanh")

    def smoothed(self, source: str, name: str, matrices: Weights, biases: Mapping[str, str]) -> list[str]:
        """Multiply `source`, whose ranges are those of `name`, with `matrices`; channels are evened out before."""
        spread = self._factors(name, *matrices.values())
        even = self.node("Mul", source, self.weight(f"{name} evened", np.reciprocal(spread)))
        wider = {one: matrix * spread[:, np.newaxis] for one, matrix in matrices.items()}
        return self.multiplied(even, self._limit(name, spread), wider, biases)

    def multiplied(self, source: str, limit: float, matrices: Weights, biases: Mapping[str, str]) -> list[str]:
        """Quantise `source`, [tokens, in] within -limit … limit, and multiply it with each matrix; biases added."""
        step = self.constant(f"{next(iter(matrices))} step", np.array(limit / TOKEN_LIMIT, np.float32))
        middle = self.constant("middle", np.array(128, np.uint8))
        whole = self.node("QuantizeLinear", source, step, middle)
        products = []
        for name, matrix in matrices.items():
            numbers, scales = quantised(matrix, axis=0, limit=WEIGHT_LIMIT)
            given = [self.constant(name, numbers), step, self.constant(f"{name} scales", scales[0]), middle]
            bias = ["", biases[name]] if name in biases else []  # "" stands for the weights' zero point
            products.append(self.node("MatMulIntegerToFloat", whole, *given, *bias, domain=CONTRIB))
        return products

    def _factors(self, name: str, *matrices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return factors(self.ranges[f"{name}.weight"], matrices)

    def _limit(self, name: str, spread: npt.NDArray[np.float32]) -> float:
        return float((np.maximum(self.ranges[f"{name}.weight"], _LEAST) / spread).max())


def without_value_biases(weights: Weights, layers: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return the same network with the biases of values in the layer after the attention.

    They come out of it as they went in, since the shares of a query sum to 1.
    """
    moved = dict(weights)
    for number in range(layers):
        prefix = f"encoder.layer.{number}.attention"
        value, last = f"{prefix}.self.value.bias", f"{prefix}.output.dense"
        moved[f"{last}.bias"] = weights[f"{last}.bias"] + weights[f"{last}.weight"] @ weights[value]
        moved[value] = np.zeros_like(weights[value])
    return moved


def factors(ranges: npt.NDArray[np.float32], matrices: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Return what each channel is divided by, [in]; `ranges` [in] is its size, `matrices` [in, out] take it over."""
    most = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
    spread = np.maximum(ranges, _LEAST) ** INPUTS_SHARE / np.maximum(most, _LEAST) ** (1 - INPUTS_SHARE)
    return (spread / np.exp(np.log(spread).mean())).astype(np.float32)


class _Listening(BertGraph):
    """Keeps where the input of each matrix is to be had."""

    def __init__(self, weights: Weights, attention_heads: int, epsilon: float) -> None:
        super().__init__(weights, "fp32", attention_heads, epsilon)
        self.sources: dict[str, str] = {}

    def linear(self, source: str, matrices: Weights, *, least: float = 0.0) -> list[str]:
        self.sources |= dict.fromkeys(matrices, source)
        return super().linear(source, matrices, least=least)


def channel_ranges(
    weights: Weights,
    examples: Sequence[Sequence[int]],
    *,
    layers: int,
    attention_heads: int,
    epsilon: float,
    max_tokens: int,
) -> Ranges:
    """Return how large the inputs of the layers' matrices get over `examples`, token numbers of at least one text."""
    graph = _Listening(weights, attention_heads, epsilon)
    hidden = graph.begin(max_tokens)
    for number in range(layers):
        hidden = graph.layer(hidden, number)
    largest = {
        name: graph.node("ReduceMax", graph.node("Abs", source), graph.axis(0), keepdims=0)
        for name, source in graph.sources.items()
    }
    outputs = [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in largest.values()]
    session = ort.InferenceSession(model_of(graph, outputs).SerializeToString(), providers=["CPUExecutionProvider"])
    said = []
    for example in examples:
        ids = np.array([example[:max_tokens]], np.int64)
        said.append(session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)}))
    return {name: np.max(each, axis=0) for name, each in zip(largest, zip(*said, strict=True), strict=True)}
