"""The layers of a BERT encoder in int8, out of the kernels that are fastest on processors.

What a norm or the attention gives is quantised with one scale for all tokens, so that the product's scales and biases
are the kernel's own work and no pass over its numbers is left. A few channels of it are ten times as large as all
others, in every text alike; so each channel is divided by a factor first and the matrix multiplied by it (SmoothQuant,
Xiao et al. 2023, arXiv 2211.10438). That is as exact as a scale for each token and 5 % faster.

What GELU gives has such channels too, but no room for factors: there each token keeps a scale of its own. ReLU has
room: a channel may be divided before it, in the widening matrix (Nagel et al. 2019, arXiv 1906.04721), and it is no
node at all, since whole numbers from 0 on hold nothing negative. A network with ReLU is 15 % faster for it.

The matrices are rounded for the inputs that they get, see `rounding`: of 1,500 texts 4 in 1,000 change their topic and
1 its sentiment, where rounding to the nearest changes 8 and 2; with ReLU 1 its topic and 4 their sentiment.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from models.runtime import import_runtime
from models.training.graph.bert import BertGraph, BertShape
from models.training.graph.heads import model_of
from models.training.graph.nodes import CONTRIB, LARGEST, MIDDLE, WEIGHT_LIMIT, Quantised, Weights
from models.training.graph.rounding import compensated

__all__ = ["BertInt8Graph", "Inputs", "factors", "inputs_of_matrices", "without_value_biases"]

ort = import_runtime()


class Inputs(NamedTuple):
    """What a matrix gets, over all tokens of some texts."""

    largest: npt.NDArray[np.float32]
    """The size of each channel, [in]."""
    gram: npt.NDArray[np.float64]
    """The sum of the products of any two channels, [in, in]."""


INPUTS_SHARE = 0.7
"""How much of a channel's size its matrix takes over; between 0.5 and 0.7 the answers stay the same."""

_LEAST = 1e-3
"""The least size of a channel: one that is always 0 must not divide by zero."""

_BATCH_ROWS = 32


class BertInt8Graph(BertGraph):
    """BERT's pieces in int8; `weights` without biases of values, and what each matrix gets.

    `Attention` takes no biases; that of the keys adds the same to all that a query is compared with, and softmax does
    not see it.
    """

    def __init__(self, weights: Weights, inputs: Mapping[str, Inputs], shape: BertShape) -> None:
        super().__init__(weights, "int8", shape)
        self.inputs = inputs

    def begin(self) -> str:
        flat = super().begin()
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
        narrowing = {f"{last}.weight": matrices.pop(f"{last}.weight")}
        queries, keys, values = self.smoothed(source, query, matrices, {f"{query}.weight": self.bias(query)})
        parts = [self.in_rows(one) for one in (queries, keys, values)]
        heads = self.bert.attention_heads
        mixed = self.node("Attention", *parts, self.mask, q_num_heads=heads, kv_num_heads=heads)
        added = {f"{last}.weight": self.bias(last)}
        (projected,) = self.multiplied(self.flat(mixed), last, spread, narrowing, added)
        return projected

    def feed_forward(self, source: str, prefix: str) -> str:
        if self.bert.activation != "relu":
            return super().feed_forward(source, prefix)
        widening, narrowing = f"{prefix}.intermediate.dense", f"{prefix}.output.dense"
        last = self.matrices(narrowing)
        spread = self._factors(narrowing, *last.values())
        first = {name: matrix / spread for name, matrix in self.matrices(widening).items()}
        bias = self.weight(f"{widening}.bias", self.weights[f"{widening}.bias"] / spread)
        (widened,) = self.smoothed(source, widening, first, {f"{widening}.weight": bias})
        added = {f"{narrowing}.weight": self.bias(narrowing)}
        (narrowed,) = self.multiplied(widened, narrowing, spread, last, added, zero=0)
        return narrowed

    def bent(self, source: str, name: str) -> str:
        """GELU in its form with tanh (Hendrycks and Gimpel 2016, arXiv 1606.08415), a fifth faster: 0.0005 apart."""
        (widened,) = self.smoothed(source, name, self.matrices(name), {f"{name}.weight": self.bias(name)})
        return self.node("Gelu", widened, approximate="tanh")

    def smoothed(self, source: str, name: str, matrices: Weights, biases: Mapping[str, str]) -> list[str]:
        """Multiplies `source`, the inputs of `name`, with `matrices`; channels are evened out before."""
        spread = self._factors(name, *matrices.values())
        even = self.node("Mul", source, self.weight(f"{name} evened", np.reciprocal(spread)))
        return self.multiplied(even, name, spread, matrices, biases)

    def multiplied(
        self,
        source: str,
        name: str,
        spread: npt.NDArray[np.float32],
        matrices: Weights,
        biases: Mapping[str, str],
        *,
        zero: int = MIDDLE,
    ) -> list[str]:
        """Quantises `source`, the inputs of `name` divided by `spread`, multiplies it with each matrix, adds biases.

        `zero` is the whole number that stands for 0; where it is 0 itself, what is negative in `source` is cut off.
        """
        limit = float((np.maximum(self.inputs[f"{name}.weight"].largest, _LEAST) / spread).max())
        step = self.constant(f"{name} step", np.array(limit / (LARGEST - zero), np.float32))
        nothing = self.nothing(zero)
        whole = self.node("QuantizeLinear", source, step, nothing)
        products = []
        for one, matrix in matrices.items():
            gram = self.inputs[one].gram / np.outer(spread, spread)
            numbers, scales = compensated(matrix * spread[:, np.newaxis], gram, WEIGHT_LIMIT)
            given = [self.constant(one, numbers), step, self.constant(f"{one} scales", scales[0]), nothing]
            bias = ["", biases[one]] if one in biases else []  # "" stands for the weights' zero point
            products.append(self.node("MatMulIntegerToFloat", whole, *given, *bias, domain=CONTRIB))
        return products

    def rounded(self, name: str, matrix: npt.NDArray[np.float32]) -> Quantised:
        return compensated(matrix, self.inputs[name].gram, WEIGHT_LIMIT)

    def _factors(self, name: str, *matrices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return factors(self.inputs[f"{name}.weight"].largest, matrices)


def without_value_biases(weights: Weights, layers: int) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the same network with the biases of values in the layer after the attention.

    They come out of it as they went in, since the shares of a query sum to 1.
    """
    moved = dict(weights)
    for number in range(layers):
        prefix = f"encoder.layer.{number}.attention"
        value, last = f"{prefix}.self.value.bias", f"{prefix}.output.dense"
        moved[f"{last}.bias"] = weights[f"{last}.bias"] + weights[f"{last}.weight"] @ weights[value]
        moved[value] = np.zeros_like(weights[value])
    return moved


def factors(largest: npt.NDArray[np.float32], matrices: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Returns what each channel is divided by, [in]; `largest` [in] is its size, `matrices` [in, out] take it over."""
    most = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
    spread = np.maximum(largest, _LEAST) ** INPUTS_SHARE / np.maximum(most, _LEAST) ** (1 - INPUTS_SHARE)
    return (spread / np.exp(np.log(spread).mean())).astype(np.float32)


class _Listening(BertGraph):
    """Keeps where the input of each matrix is to be had."""

    def __init__(self, weights: Weights, shape: BertShape) -> None:
        super().__init__(weights, "fp32", shape)
        self.sources: dict[str, str] = {}

    def linear(self, source: str, matrices: Weights, *, least: float = 0.0) -> list[str]:
        self.sources |= dict.fromkeys(matrices, source)
        return super().linear(source, matrices, least=least)


def inputs_of_matrices(weights: Weights, shape: BertShape, examples: Sequence[Sequence[int]]) -> dict[str, Inputs]:
    """Returns what the layers' matrices get over `examples`, token numbers of at least one text, by matrix."""
    graph = _Listening(weights, shape)
    graph.encoder()
    sources = list(dict.fromkeys(graph.sources.values()))  # some matrices share theirs
    asked: list[str] = []
    for source in sources:
        asked.append(graph.node("ReduceMax", graph.node("Abs", source), graph.axis(0), keepdims=0))
        asked.append(graph.node("MatMul", graph.node("Transpose", source, perm=[1, 0]), source))
    outputs = [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in asked]
    session = ort.InferenceSession(model_of(graph, outputs).SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, Inputs] = {}
    for ids in _of_one_length(examples, shape.max_tokens):
        said = session.run(asked, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for source, largest, gram in zip(sources, said[::2], said[1::2], strict=True):
            known = found.get(source, Inputs(largest, np.zeros_like(gram, np.float64)))
            found[source] = Inputs(np.maximum(known.largest, largest), known.gram + gram)
    return {name: found[source] for name, source in graph.sources.items()}


def _of_one_length(examples: Sequence[Sequence[int]], max_tokens: int) -> Iterator[npt.NDArray[np.int64]]:
    """Batches without padding, [rows, tokens]: padding must not count."""
    of_length: dict[int, list[Sequence[int]]] = defaultdict(list)
    for example in examples:
        of_length[min(len(example), max_tokens)].append(example[:max_tokens])
    for _, rows in sorted(of_length.items()):
        for start in range(0, len(rows), _BATCH_ROWS):
            yield np.array(rows[start : start + _BATCH_ROWS], np.int64)
