"""The shipped network's weights in float32, read back out of its int8 file: what peers run is the same model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = dict[str, npt.NDArray[np.float32]]

__all__ = ["Weights", "activation_of", "float_weights"]


def float_weights(network: Path) -> Weights:
    """Return BERT's state and the heads' under their names in Transformers, whatever precision the file is in."""
    import onnx
    from onnx import numpy_helper

    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(network)).graph.initializer}
    weights: Weights = {"embeddings.word_embeddings.weight": _float(stored, "words").astype(np.float32)}
    places = stored["places"].astype(np.float32)
    weights["embeddings.position_embeddings.weight"] = places
    weights["embeddings.token_type_embeddings.weight"] = np.zeros((2, places.shape[1]), np.float32)  # within places
    for name, value in stored.items():
        if name.startswith("encoder.") and name.endswith(".weight"):
            matrix = value.ndim == 2
            weights[name] = (_float(stored, name) * _evened(stored, name)).T if matrix else value.astype(np.float32)
        elif name.endswith((".bias", "LayerNorm.weight")):
            weights[name] = value.astype(np.float32)
        elif name.endswith(".attention biases"):
            weights |= _attention_biases(name.removesuffix(" biases"), value)
        elif name.endswith(" matrix"):
            weights[f"heads.{name.removesuffix(' matrix')}.weight"] = value.T.astype(np.float32)
        elif name.endswith(" bias"):
            weights[f"heads.{name.removesuffix(' bias')}.bias"] = value.astype(np.float32)
    for query in [name for name in weights if name.endswith(".query.bias")]:
        for part in ("key", "value"):  # int8 has none: the values' stands in that of the layer after them
            weights.setdefault(query.replace("query", part), np.zeros_like(weights[query]))
    return {name: np.ascontiguousarray(one) for name, one in weights.items()}


def activation_of(network: Path) -> str:
    """Return what follows the widening layers, by its name in Transformers."""
    import onnx

    kinds = {node.op_type for node in onnx.load(str(network)).graph.node}
    return "gelu" if kinds & {"Gelu", "BiasGelu"} else "relu"


def _float(stored: Mapping[str, Any], name: str) -> Any:
    scales = stored.get(f"{name} scales", stored.get("word scales") if name == "words" else None)
    return stored[name].astype(np.float32) * (1.0 if scales is None else scales.astype(np.float32))


def _evened(stored: Mapping[str, Any], name: str) -> Any:
    """What the channels of an int8 matrix' input are multiplied by before it, [in, 1]: part of the matrix here."""
    layer = name.removesuffix(".weight").replace(".self.key", ".self.query").replace(".self.value", ".self.query")
    found = stored.get(f"{layer} evened")
    return 1.0 if found is None else found.astype(np.float32)[:, np.newaxis]


def _attention_biases(prefix: str, value: Any) -> Weights:
    parts = np.split(value.astype(np.float32), 3)
    names = ("query", "key", "value")
    return {f"{prefix}.self.{name}.bias": part for name, part in zip(names, parts, strict=True)}
