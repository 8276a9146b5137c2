"""Graph surgery: a trained network as an ONNX graph in fp32, fp16 or int8.

nodes, rounding ─┬─ bert ── int8 ─┐
                 └─ heads ────────┴─ written    BERT, node by node
                                     traced     any other encoder, traced by torch and rewritten
"""
