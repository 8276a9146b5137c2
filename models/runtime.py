"""onnxruntime, opened the way that our networks need it."""

import os
from collections.abc import Sequence
from typing import Any

from models.artifact import NETWORK, Artifact
from models.errors import ArtifactError, RuntimeMissingError

CPU = "CPUExecutionProvider"
"""The execution provider that every build of onnxruntime has."""


def open_session(artifact: Artifact, threads: int, providers: Sequence[str] | None) -> Any:
    """Open the artifact's network in onnxruntime; see `OnnxClassifier.load` for arguments and errors."""
    ort = import_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    # The exported graph is fused already. Beyond the basic level onnxruntime folds Add and
    # LayerNormalization into SkipLayerNormalization, whose CPU kernel is ten times as slow.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Threads that spin between batches would take the cores from the rest of the pipeline.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    available = ort.get_available_providers()
    wanted = [*(name for name in providers or () if name in available), CPU]
    network = artifact.read(NETWORK)
    try:
        return ort.InferenceSession(network, options, providers=list(dict.fromkeys(wanted)))
    except Exception as error:  # onnxruntime's own exceptions share no other base class
        raise ArtifactError(f"onnxruntime {ort.__version__} cannot load {artifact.path / NETWORK}: {error}") from error


def import_runtime() -> Any:
    """Import onnxruntime; raise `RuntimeMissingError` naming the extras that bring it when it is absent."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissingError(
            "onnxruntime is not installed; install moodwire[cpu], or moodwire[gpu] on a machine with an NVIDIA GPU"
        ) from error
    onnxruntime.disable_telemetry_events()  # what is scored here is nobody else's business
    return onnxruntime


def cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
