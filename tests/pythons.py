"""The fast tests on every supported Python that this machine has: run by `make test`, with the standard library alone.

    installed ──► the oldest of each version ──► .venv-py/3.12 (from the lock, made once) ──► pytest on FAST
              └─► a version that is missing: a loud line

The oldest counts: Debian 12 has 3.11.2, whose `re` had faults that later ones of 3.11 have not. The version of the
`.venv` that runs this is left out, as all tests run on it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FAST", "MINORS", "Python", "installed", "oldest"]

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "deploy" / "locks" / "dev.txt"
ENVIRONMENTS = ROOT / ".venv-py"
MINORS = (11, 12, 13)

#: What decides and reads: texts, ids, records, alerts, scores, files. No server, nothing of minutes.
FAST = (
    "tests/test_every_python.py", "tests/text", "tests/engine", "tests/feeds", "tests/sample", "tests/stages",
    "tests/alerts", "tests/archive/test_archive_contract.py", "tests/lifecycle/test_feedback.py",
    "tests/models/test_artifact.py", "tests/models/test_batching.py", "tests/models/test_calibration.py",
    "tests/models/test_classifier.py", "tests/models/test_determinism.py", "tests/models/test_spans.py",
    "tests/models/test_token_heads.py", "tests/transport/test_partitioner.py", "tests/transport/test_store_log.py",
)  # fmt: skip
SLOW = (
    "tests/alerts/test_alert_simulation.py", "tests/alerts/test_alert_states.py", "tests/alerts/test_alert_redo.py",
    "tests/alerts/test_alerts_airlines.py", "tests/feeds/test_replay_files.py",
    "tests/feeds/test_replay_first_contact.py", "tests/stages/test_deliver_stage.py",
)  # fmt: skip
CHOSEN = ("-m", "not integration and not slow", "-k", "not weakened", *(f"--ignore={path}" for path in SLOW))

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter on this machine."""

    path: Path
    version: Version

    @property
    def minor(self) -> int:
        return self.version[1]

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def installed(environment: Mapping[str, str] = os.environ) -> list[Python]:
    """Every interpreter of a supported version on PATH, among the system's and pyenv's, and where uv puts them."""
    found = {}
    for path in _candidates(environment):
        version = _version_of(path)
        if version is not None and version[0] == 3 and version[1] in MINORS:
            found[path.resolve()] = Python(path, version)
    return list(found.values())


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or "/nonexistent")
    folders = [Path(one) for one in environment.get("PATH", "").split(os.pathsep) if one]
    folders += [Path("/usr/bin"), Path("/usr/local/bin")]
    for kept in (Path(environment.get("PYENV_ROOT") or home / ".pyenv") / "versions", home / ".local/share/uv/python"):
        folders += sorted(kept.glob("*/bin"))
    for folder in dict.fromkeys(folders):
        yield from (path for minor in MINORS if os.access(path := folder / f"python3.{minor}", os.X_OK))


def _version_of(path: Path) -> Version | None:
    """None for what does not run: a version manager's shim may stand for nothing."""
    program = "import sys; print(*sys.version_info[:3])"
    try:
        said = subprocess.run([path, "-c", program], capture_output=True, text=True, timeout=60, check=True).stdout
        major, minor, patch = map(int, said.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return major, minor, patch


def oldest(pythons: Iterable[Python]) -> dict[int, Python]:
    """The oldest of each minor version."""
    chosen: dict[int, Python] = {}
    for python in pythons:
        if python.minor not in chosen or python.version < chosen[python.minor].version:
            chosen[python.minor] = python
    return chosen


def environment_of(python: Python) -> Path:
    """The environment's Python, with all that the lock names; made anew when the lock or the Python changed."""
    folder = ENVIRONMENTS / f"3.{python.minor}"
    stamp, wanted = folder / ".made-of", f"{python} {hashlib.sha256(LOCK.read_bytes()).hexdigest()}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        uv = Path(sys.executable).with_name("uv")
        _run([uv, "venv", "--quiet", "--no-config", "--clear", "--python", python.path, folder])
        _install(uv, folder / "bin" / "python", "--only-binary", ":all:", "--require-hashes", "-r", LOCK)
        _install(uv, folder / "bin" / "python", "--no-build-isolation", "--editable", ROOT)
        stamp.write_text(wanted)
    return folder / "bin" / "python"


def _install(uv: Path, python: Path, *what: str | Path) -> None:
    """With uv in seconds; pip knows indices that uv was not told of."""
    words: list[str | Path] = ["--quiet", "--no-deps", *what]
    if subprocess.run([uv, "pip", "install", "--no-config", "--python", python, *words], check=False).returncode:
        _run([Path(sys.executable), "-m", "pip", "--python", python, "install", "--no-input", *words])


def _run(words: list[str | Path]) -> None:
    subprocess.run(words, check=True, cwd=ROOT)


def run_tests(python: Python) -> tuple[int, str, float]:
    """pytest's status, the end of what it printed, and how many seconds it took."""
    began = time.monotonic()
    try:
        interpreter = environment_of(python)
    except subprocess.CalledProcessError as error:
        return 1, f"its environment cannot be made: {error}", time.monotonic() - began
    done = subprocess.run(
        [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHOSEN, *FAST],
        env=os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(interpreter.parents[1] / "hypothesis")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    printed = done.stdout if done.returncode else done.stdout.rstrip().rpartition("\n")[2]
    return done.returncode, printed, time.monotonic() - began


def main() -> int:
    chosen = oldest(installed())
    for minor in MINORS:
        if minor not in chosen:
            print(f"moodwire tests: this machine LACKS Python 3.{minor}: the fast tests did not run on it", flush=True)
    others = [one for one in chosen.values() if one.version != sys.version_info[:3]]
    worst = 0
    with ThreadPoolExecutor(max(1, min(2, os.cpu_count() or 1))) as pool:
        for python, (status, printed, seconds) in zip(others, pool.map(run_tests, others), strict=True):
            print(f"moodwire tests: Python {python} ({python.path}), {seconds:.0f} s: {printed}", flush=True)
            worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
