"""Pieces of ONNX graphs: nodes, constants, and the product with a matrix in each precision."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from models.training.graph.rounding import scales_of

__all__ = ["CONTRIB", "Graph", "Precision", "Quantised", "Weights", "quantised"]

Weights = Mapping[str, npt.NDArray[np.float32]]
Precision = Literal["fp32", "fp16", "int8"]

Quantised = tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]
"""Whole numbers, and the scales that they are multiplied by."""

CONTRIB = "com.microsoft"
"""The domain of onnxruntime's own operators."""

WEIGHT_LIMIT = 63
"""Weights keep 7 bits, so that sums of two products of 8 bits stay below 32,767, where processors without VNNI
saturate (onnxruntime issues 14642 and 6004)."""

LARGEST, MIDDLE = 255, 128
"""Of whole numbers of 8 bits without a sign: the largest, and the one that stands for 0 where half are negative."""

TOKEN_LIMIT = LARGEST - MIDDLE
_TINY = 1e-8
"""The least scale of a token: a vector of zeros must not divide by zero."""


class Graph:
    """Collects nodes and constants; each method adds a piece and returns the name of its output."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._zero_points = ""

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Adds a constant once and returns its name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str, value: npt.NDArray[np.float32]) -> str:
        """Adds a constant in the graph's floating-point precision."""
        return self.constant(name, value.astype(np.float16 if self.precision == "fp16" else np.float32))

    def number(self, value: float) -> str:
        """Adds a float32 scalar."""
        return self.constant(f"number {value:g}", np.array(value, np.float32))

    def nothing(self, value: int) -> str:
        """Adds the whole number that stands for 0."""
        return self.constant(f"whole {value}", np.array(value, np.uint8))

    def axis(self, value: int) -> str:
        """Adds an axis (or a position) as an int64 vector of one."""
        return self.constant(f"axis {value}", np.array([value], np.int64))

    def node(self, kind: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        """Adds a node with one output."""
        name = f"{kind} {len(self.nodes)}"
        made = helper.make_node(kind, inputs, [output or name], name=name, domain=domain, **attributes)
        self.nodes.append(made)
        return output or name

    def linear(self, source: str, matrices: Weights, *, least: float = 0.0) -> list[str]:
        """Multiplies `source`, [tokens, in], with each of `matrices`, [in, out]; no biases.

        In int8 each token is quantised with its own scale, once for all matrices. `least` above 0 says that no number
        of `source` lies below -`least`: the sizes of negative ones need no look then.
        """
        if self.precision != "int8":
            return [self.node("MatMul", source, self.weight(name, matrix)) for name, matrix in matrices.items()]
        sizes = source if least else self.node("Abs", source)
        largest = self.node(
            "Max", self.node("ReduceMax", sizes, self.axis(-1), keepdims=0), self.number(least or _TINY)
        )
        scale = self.node("Mul", largest, self.number(1 / TOKEN_LIMIT))
        middle = self.nothing(MIDDLE)
        whole = self.node("QuantizeLinear", source, scale, self._middles(middle, scale), axis=0)
        column = self.node("Unsqueeze", scale, self.axis(1))
        products = []
        for name, matrix in matrices.items():
            numbers, scales = self.rounded(name, matrix)
            factors = [self.constant(name, numbers), self.number(1), self.constant(f"{name} scales", scales[0]), middle]
            product = self.node("MatMulIntegerToFloat", whole, *factors, domain=CONTRIB)
            products.append(self.node("Mul", product, column))
        return products

    def rounded(self, name: str, matrix: npt.NDArray[np.float32]) -> Quantised:  # noqa: ARG002  # some have their own way
        """Returns the whole numbers and scales, [1, out], of the matrix `name`, [in, out]."""
        return quantised(matrix, axis=0, limit=WEIGHT_LIMIT)

    def _middles(self, middle: str, scale: str) -> str:
        """The zero point of each token: all are the same, but a scale of each token asks for one of each, too."""
        if not self._zero_points:
            self._zero_points = self.node("Expand", middle, self.node("Shape", scale))
        return self._zero_points

    def rows_of(self, table: npt.NDArray[np.float32], name: str, numbers: str) -> str:
        """Looks rows of `table` up; in int8 each row has its own scale."""
        if self.precision != "int8":
            return self.node("Gather", self.weight(name, table), numbers)
        whole, scales = quantised(table, axis=1, limit=TOKEN_LIMIT)
        picked = self.node("Gather", self.constant(name, whole), numbers)
        scale = self.node("Gather", self.constant(f"{name} scales", scales), numbers)
        return self.node("Mul", self.node("Cast", picked, to=TensorProto.FLOAT), scale)


def quantised(matrix: npt.NDArray[np.float32], *, axis: int, limit: int) -> Quantised:
    """Returns whole numbers in -limit … limit and scales (`axis` kept, of length 1); their product is `matrix`."""
    scales = scales_of(matrix, axis=axis, limit=limit)
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)
