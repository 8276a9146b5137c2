"""From a trained network to an artifact that `models.classifier` loads.

graph ─> model.onnx ─ parity (refused if it differs from the network) ─ calibration ─> artifact, metrics, card
"""
