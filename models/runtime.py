"""onnxruntime, opened the way that our networks need it."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.artifact import NETWORK, Artifact
from models.errors import ArtifactError, RuntimeMissingError

CPU = "CPUExecutionProvider"
"""The execution provider that every build of onnxruntime has."""

Feeds = Mapping[str, npt.NDArray[Any]]


class Network:
    """An artifact's network, opened: arrays in, arrays out.

    On an accelerator the arrays go through an I/O binding: inputs are copied once, outputs land in host memory
    without a round of copies for each. `bound` says so; a test sets it on the CPU provider, which is the one path
    that a machine without a GPU can run.
    """

    def __init__(self, session: Any, *, bound: bool) -> None:
        self._session = session
        self.bound = bound

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, best first."""
        return tuple(self._session.get_providers())

    @property
    def outputs(self) -> dict[str, tuple[int | str | None, ...]]:
        """The shape of each output, names and None standing for sizes that are free."""
        return {output.name: tuple(output.shape) for output in self._session.get_outputs()}

    def run(self, names: Sequence[str], feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Returns the outputs `names` for the inputs `feeds`."""
        if not self.bound:
            return list(self._session.run(list(names), feeds))
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for name in names:
            binding.bind_output(name)
        self._session.run_with_iobinding(binding)
        return list(binding.copy_outputs_to_cpu())


def open_network(artifact: Artifact, threads: int, providers: Sequence[str] | None) -> Network:
    """Opens the artifact's network in onnxruntime; see `OnnxClassifier.load` for arguments and errors."""
    ort = import_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    # Threads that spin between batches would take the cores from the rest of the pipeline.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = list(dict.fromkeys([*_usable(ort, providers), CPU]))
    # The exported graph is fused already. Beyond the basic level onnxruntime folds Add and
    # LayerNormalization into SkipLayerNormalization, whose CPU kernel is ten times as slow.
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_BASIC if wanted == [CPU] else level.ORT_ENABLE_ALL
    network = artifact.read(NETWORK)
    try:
        session = ort.InferenceSession(network, options, providers=wanted)
    except Exception as error:  # onnxruntime's own exceptions share no other base class
        raise ArtifactError(f"onnxruntime {ort.__version__} cannot load {artifact.path / NETWORK}: {error}") from error
    return Network(session, bound=session.get_providers()[0] != CPU)


def accelerated(providers: Sequence[str] | None) -> bool:
    """Whether this machine has one of `providers` that is not the CPU."""
    return bool(providers) and any(name != CPU for name in _usable(import_runtime(), providers))


def _usable(ort: Any, providers: Sequence[str] | None) -> list[str]:
    available = ort.get_available_providers()
    return [name for name in providers or () if name in available]


def import_runtime() -> Any:
    """Imports onnxruntime; raises `RuntimeMissingError` naming the extras that bring it when it is absent.

    Nothing else may import it: it reports to its maker, and makes files for that in the cache folder, unless this
    variable is set before. Its own call to end that comes too late.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissingError(
            "onnxruntime is not installed; install moodwire[cpu], or moodwire[gpu] on a machine with an NVIDIA GPU"
        ) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def cores() -> int:
    """Returns the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
