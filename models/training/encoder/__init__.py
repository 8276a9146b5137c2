"""The network that is trained: a pretrained encoder with heads, and the device that it runs on.

cache (folder, fetched or hub; from_onnx reads an ONNX file) ─> network: one encoder, heads for texts,
entities and names ─┬─ frozen   the lowest layers run once; their output is kept on disk
                    └─ lora     adapters that learn in the encoder's stead, folded in at the end

masked_lm   the same encoder with a head that predicts hidden words
device      where a run computes, in which precision        tensors     a batch on that device
"""
