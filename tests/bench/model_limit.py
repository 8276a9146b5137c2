"""What the machine can do at most: the product of two large matrices in int8 and float32, by onnxruntime."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from models.runtime import import_runtime

__all__ = ["giga_operations"]

SIZE = 768
"""Three matrices of 768 x 768 in int8 stay in a level 2 cache of 1 MB or more."""


def giga_operations(kind: str, threads: int, seconds: float = 1.0) -> float:
    """Return 10^9 operations a second of `int8` (8 by 7 bits) or `fp32` products: the best of many."""
    session, fed = _session(kind, threads)
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, fed)
        best = min(best, time.perf_counter() - start)
    return 2 * SIZE**3 / best / 1e9


def _session(kind: str, threads: int) -> tuple[Any, dict[str, Any]]:
    ort = import_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chance = np.random.default_rng(1)
    if kind == "int8":
        left: Any = chance.integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
        right: Any = chance.integers(-63, 64, (SIZE, SIZE)).astype(np.int8)
    else:
        left, right = (chance.normal(size=(SIZE, SIZE)).astype(np.float32) for _ in range(2))
    return ort.InferenceSession(_product(kind, right), options, providers=["CPUExecutionProvider"]), {"left": left}


def _product(kind: str, right: Any) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    constants = [numpy_helper.from_array(right, "right")]
    given, made = TensorProto.FLOAT, TensorProto.FLOAT
    if kind == "int8":
        constants.append(numpy_helper.from_array(np.array(128, np.uint8), "middle"))
        given, made = TensorProto.UINT8, TensorProto.INT32
        node = helper.make_node("MatMulInteger", ["left", "right", "middle"], ["product"])
    else:
        node = helper.make_node("MatMul", ["left", "right"], ["product"])
    size = [SIZE, SIZE]
    ins, outs = helper.make_tensor_value_info("left", given, size), helper.make_tensor_value_info("product", made, size)
    graph = helper.make_graph([node], "limit", [ins], [outs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content
