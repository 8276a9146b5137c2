"""What the processor can do, and what that means for the model that runs on it."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.artifact import NETWORK, Artifact
from models.errors import RuntimeMissingError
from models.runtime import CPU, cores, import_runtime

_CPUINFO = Path("/proc/cpuinfo")

# Instructions that multiply 8-bit numbers into 32-bit sums without saturating on the way.
_EXACT_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
_VECTORS = ("avx2", "avx512f", "asimd")


def processor_report(artifact: Artifact | None = None) -> dict[str, Any]:
    """Returns what `moodwire doctor` shows about the processor, the runtime and the file that runs.

    Keys: `processor`, `cores`, `instructions` (those that matter here), `vnni` (None where the system does
    not tell), `onnxruntime` (its version, None when it is not installed), `providers`, `missing` (the fix,
    when something is), and with `artifact` also `file`, `precision` and `right_here`, a sentence.
    """
    flags = _flags(_CPUINFO.read_text(encoding="utf-8") if _CPUINFO.is_file() else "")
    vnni = bool(flags & set(_EXACT_INT8)) if flags else None
    report: dict[str, Any] = {
        "processor": platform.machine(),
        "cores": cores(),
        "instructions": sorted(flags & {*_EXACT_INT8, *_VECTORS}),
        "vnni": vnni,
        **_runtime(),
    }
    if artifact is not None:
        report |= {
            "file": str(artifact.path / NETWORK),
            "precision": artifact.precision,
            "right_here": _verdict(artifact.precision, vnni),
        }
    return report


def _runtime() -> Mapping[str, Any]:
    try:
        ort = import_runtime()
    except RuntimeMissingError as error:
        return {"onnxruntime": None, "providers": [], "missing": str(error)}
    providers = [name for name in ort.get_available_providers() if name == CPU or "CUDA" in name]
    return {"onnxruntime": ort.__version__, "providers": providers, "missing": None}


def _flags(cpuinfo: str) -> set[str]:
    """Returns the first processor's flags from the text of /proc/cpuinfo (x86 `flags`, ARM `Features`)."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in {"flags", "features"}:
            return set(value.split())
    return set()


def _verdict(precision: str, vnni: bool | None) -> str:
    if precision != "int8":
        return "floating point: right on every processor"
    if vnni:
        return "int8 with 7-bit weights: right on every processor, and fast on this one"
    return "int8 with 7-bit weights: right on this processor too, where 8-bit products would saturate"
