"""Text in, sentiment and topic out. Knows no broker and no archive.

    artifacts/NAME/ ─ artifact (checked) ─┬─ runtime (onnxruntime) ─┐
                                          └─ tokens (its tokenizer) ┤
                                                                    v
    texts ─ text.normalise ─ batching.token_budget_batches ─ classifier ─> {head: probabilities}

    spans, token_heads   verdicts on entities in a text, and the names found in it
    evaluation/ how good an artifact is: figures, slices, tests of behaviour, a report
    training/   makes an artifact; needs the extra `train`, and nothing here imports it
    device      what the processor can do, for `moodwire doctor`
    around      a classifier around another one, for what watches its calls
    null        a classifier without a model, to measure everything around one
    errors      ModelError and what it is split into

>>> model = OnnxClassifier.load(shipped("finance-en-minilm-int8"))            # doctest: +SKIP
>>> model.classify(["Grain trader warns of bankruptcy"])["sentiment"]         # doctest: +SKIP
"""

from models.around import ClassifierAround
from models.artifact import Artifact, load_artifact, shipped
from models.batching import token_budget_batches
from models.classifier import Classifier, OnnxClassifier, Probabilities
from models.device import processor_report
from models.errors import ArtifactError, ModelError, RuntimeMissingError
from models.null import NullClassifier
from models.spans import Name, Places, Span, find_span
from models.text import normalise

__all__ = [
    "Artifact",
    "ArtifactError",
    "Classifier",
    "ClassifierAround",
    "ModelError",
    "Name",
    "NullClassifier",
    "OnnxClassifier",
    "Places",
    "Probabilities",
    "RuntimeMissingError",
    "Span",
    "find_span",
    "load_artifact",
    "normalise",
    "processor_report",
    "shipped",
    "token_budget_batches",
]
