"""Graph surgery: a trained network as an ONNX graph in fp32, fp16 or int8.

    nodes, rounding ─┬─ bert ── int8 ─┐
                     └─ heads ────────┼─ written    BERT, node by node
                                      └─ traced     any other encoder, traced by torch and rewritten

This package is the one place that knows ONNX nodes: the rest of training imports the names below and no module of it.
"""

from models.training.graph.bert import ACTIVATIONS, BertShape
from models.training.graph.nodes import Precision, Weights
from models.training.graph.traced import build_traced
from models.training.graph.written import build

__all__ = ["ACTIVATIONS", "BertShape", "Precision", "Weights", "build", "build_traced"]
