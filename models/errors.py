"""What can go wrong with a model, before it answers its first text.

    ModelError
    ├── ArtifactError        a model's folder is missing, incomplete, altered, or of an unknown format
    └── RuntimeMissingError  the inference library is not installed

Once loaded, a classifier answers every text; nothing that a text holds raises.
"""


class ModelError(Exception):
    """A model cannot be used; the message names the thing and the fix."""


class ArtifactError(ModelError):
    """A model's folder cannot be trusted or understood."""


class RuntimeMissingError(ModelError):
    """onnxruntime is not installed."""
