"""Topics added to a trained network without training it.

a few examples or a description ─ few_shot (no torch) ─> one row of weights ─ heads ─> `topic/NAME` in RUN/best
"""
