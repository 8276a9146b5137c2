"""A BERT's weights out of the ONNX file that PyTorch wrote of it: some encoders come from a package registry as that.

An exporter keeps the names of most weights; the matrices it transposes and calls by a number, and only the product that
each is used in still bears the name of its place.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from transformers import BertConfig, BertModel

from models.training.errors import TrainingError

__all__ = ["bert_from_onnx"]

Arrays = Mapping[str, npt.NDArray[Any]]

_WORDS = "embeddings.word_embeddings.weight"
_WITHIN = "encoder.layer.0.intermediate.dense.weight"


def bert_from_onnx(path: Path, attention_heads: int) -> BertModel:
    """Returns the encoder in the file `path`, without a pooler; how many heads attend, no weight says.

    Raises `TrainingError` when the file is of another kind of network, or its weights are not all there.
    """
    found = _weights(onnx.load(path).graph)
    if _WORDS not in found or _WITHIN not in found:
        raise TrainingError(f"{path} holds no BERT as PyTorch exports it: no {_WORDS} or no {_WITHIN}")
    config = _config(found, attention_heads)
    encoder = BertModel(config, add_pooling_layer=False)
    wanted = {name: tuple(one.shape) for name, one in encoder.state_dict().items() if not name.endswith("position_ids")}
    odd = sorted(name for name in wanted if name not in found or found[name].shape != wanted[name])
    if odd:
        raise TrainingError(f"{path} lacks weights, or has them in another shape: {', '.join(odd[:3])}")
    encoder.load_state_dict({name: torch.from_numpy(np.array(found[name])) for name in wanted}, strict=False)
    return encoder.eval()


def _weights(graph: Any) -> Arrays:
    """Returns the weights by the names that they have in PyTorch."""
    held = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    found = dict(held)
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in held:
            place = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            found[f"{place}.weight"] = held[node.input[1]].T
    return found


def _config(found: Arrays, attention_heads: int) -> BertConfig:
    vocabulary, width = found[_WORDS].shape
    layers = {name.split(".")[2] for name in found if name.startswith("encoder.layer.")}
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=attention_heads,
        intermediate_size=found[_WITHIN].shape[0],
        max_position_embeddings=len(found["embeddings.position_embeddings.weight"]),
        type_vocab_size=len(found["embeddings.token_type_embeddings.weight"]),
    )
