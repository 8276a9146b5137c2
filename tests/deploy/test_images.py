"""The Dockerfiles: linted, and what they copy made into the wheel that the image would hold. No engine is needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.dockerfile import Dockerfile, read_dockerfile
from tests.deploy.moodwire_calls import check_command, settings_from
from tests.deploy.programs import hadolint

DOCKER = ROOT / "deploy" / "docker"
FILES = [DOCKER / "Dockerfile", DOCKER / "Dockerfile.gpu"]


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def image(request: pytest.FixtureRequest) -> Dockerfile:
    return read_dockerfile(request.param)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    done = subprocess.run([hadolint(), str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text(FILES[0].read_text().replace("3.12-slim-bookworm", "latest"))
    done = subprocess.run([hadolint(), str(bad)], capture_output=True, text=True, timeout=60, check=False)
    assert "DL3007" in done.stdout


def test_two_stages_of_pinned_bases_and_no_compiler_in_the_last(image: Dockerfile) -> None:
    build, last = image.stages
    for stage in image.stages:
        name, _, tag = stage.base.removeprefix("docker.io/").partition(":")
        assert name
        assert tag[0].isdigit(), f"{stage.base}: pin it"
    assert last.copy_from == [build.name]
    ((dashboards, place),) = last.copy
    assert _sent(dashboards)
    assert list((ROOT / dashboards).glob("*.ndjson"))
    for user in ("compose.yaml", "helm/moodwire/templates/setup.yaml"):
        assert place in (ROOT / "deploy" / user).read_text(), f"{user} imports none of them"


def test_every_package_comes_from_the_lock_with_its_hash(image: Dockerfile) -> None:
    installs = [part for run in image.stages[0].run for part in run.split("&&") if "pip install" in part]
    assert len(installs) == 2
    assert "--require-hashes --requirement" in installs[0]
    assert all("--no-deps" in install for install in installs)
    locks = [source for copied in image.stages[0].copy for source in copied[:-1] if "locks" in source]
    assert locks[0] in ("deploy/locks/runtime-cpu.txt", "deploy/locks/runtime-gpu.txt")
    assert locks[1:] == ["deploy/locks/page.txt"], "the build hook reads it where it is in a checkout"


def test_it_runs_as_nobody_and_answers_for_its_health(image: Dockerfile, monkeypatch: pytest.MonkeyPatch) -> None:
    assert image.user == "10001:10001"
    assert image.stop_signal == "SIGTERM"
    assert image.entrypoint == ["moodwire"]
    check_command(image.command)
    settings = settings_from(image.environment, monkeypatch)
    assert settings.http_host == "0.0.0.0"
    assert image.exposed == [str(settings.http_port)]
    compile(image.healthcheck[-1], "healthcheck", "exec")
    assert f"127.0.0.1:{settings.http_port}/health" in image.healthcheck[-1]
    assert settings.log_format == "json"
    assert str(settings.data_dir) == "/var/lib/moodwire"


def test_the_shell_commands_are_shell(image: Dockerfile) -> None:
    for run in (run for stage in image.stages for run in stage.run):
        subprocess.run(["sh", "-n", "-c", run], check=True, timeout=10)


@pytest.mark.slow
def test_what_is_copied_builds_a_wheel_with_models_and_profiles(image: Dockerfile, tmp_path: Path) -> None:
    """The copied files alone, less what .dockerignore holds back, must be enough for the build back end."""
    context = tmp_path / "context"
    for copied in image.stages[0].copy:
        for source in copied[:-1]:
            if "runtime-" not in source:
                _copy(source, context)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        check=True, cwd=context, timeout=120, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("models/artifacts/*/model.onnx", "streams/profiles/finance/profile.yaml", "streams/cli/__init__.py"):
        assert any(fnmatch(name, f"moodwire/{needed}") for name in names), needed
    assert not [name for name in names if name.startswith("moodwire/models/training/") or "__pycache__" in name]


def _copy(source: str, context: Path) -> None:
    context.mkdir(exist_ok=True)
    assert _sent(source), f"{source} is copied, but .dockerignore keeps it from the builder"
    if (ROOT / source).is_file():
        (context / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, context / source)
        return
    for file in (ROOT / source).rglob("*"):
        relative = file.relative_to(ROOT)
        if file.is_file() and _sent(relative.as_posix()):
            (context / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, context / relative)


def _sent(path: str) -> bool:
    """Docker's rule: the last line of .dockerignore that fits the path, or one of its folders, decides."""
    parts = path.split("/")
    prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.removeprefix("!")
        if rule and not rule.startswith("#") and any(_fits(prefix, rule) for prefix in prefixes):
            sent = line.startswith("!")
    return sent


def _fits(path: str, rule: str) -> bool:
    if rule.startswith("**/"):
        return fnmatch(path.rsplit("/", 1)[-1], rule.removeprefix("**/"))
    return path.count("/") == rule.count("/") and fnmatch(path, rule)
