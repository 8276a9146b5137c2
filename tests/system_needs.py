"""What the tests need and pip cannot bring: run by `make test` before pytest, with the standard library alone.

    NEEDS ──► those whose tests exist here ──► those missing ──► Debian as root: apt-get installs them
                                                             └─► elsewhere: what is missing and how to get it

Missing programs skip their tests with a loud reason on a developer's machine, and fail the run where CI=true.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "NEEDS",
    "Need",
    "find_alertmanager",
    "find_chromium",
    "find_go",
    "find_java",
    "find_maven",
    "find_promtool",
    "in_ci",
]

ROOT = Path(__file__).resolve().parents[1]
JAVA_HOMES = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/java")
KAFKA_JAVA = 17  # the oldest that Kafka 4 brokers run on
GO = (1, 21)  # the oldest that can build a module that asks for a newer Go
ELASTIC_JAVA = 21  # the oldest that Elasticsearch 9 runs on; a whole JDK: it loads jdk.attach, jdk.jdi and jdk.jlink


@dataclass(frozen=True, slots=True)
class Need:
    """One program. It is needed when a file of this checkout matches `wanted_by`."""

    name: str
    wanted_by: str
    find: Callable[[], str | None]
    debian: tuple[str, ...]
    elsewhere: str


def in_ci() -> bool:
    """Whether a missing program must fail the run instead of skipping its tests."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def find_java(at_least: int) -> str | None:
    """The path of a `java` of that major version or newer; the newest, if JAVA_HOME and PATH have none."""
    for candidate in _java_candidates():
        if _java_version(candidate) >= at_least:
            return candidate
    return None


def _java_candidates() -> list[str]:
    found: list[str] = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(str(Path(home, "bin", "java")))
    if on_path := shutil.which("java"):
        found.append(on_path)
    installed = [path for home in JAVA_HOMES for path in Path(home).glob("*/**/bin/java") if path.is_file()]
    found.extend(sorted({str(path.resolve()) for path in installed}, key=_java_version, reverse=True))
    return found


def _java_version(java: str) -> int:
    """The major version, 0 when it does not run: macOS has a `java` that only says how to install one."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(match.group(1)) if match and said.returncode == 0 else 0


def find_maven() -> str | None:
    """The path of `mvn`."""
    return shutil.which("mvn")


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def find_promtool() -> str | None:
    """The path of Prometheus' `promtool`."""
    return shutil.which("promtool")


def find_alertmanager() -> str | None:
    """The path of Prometheus' Alertmanager, which Debian calls `prometheus-alertmanager`."""
    return shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")


def find_go() -> str | None:
    """The path of a `go` that fetches newer ones of itself where a module asks for them (1.21 on)."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go"):
        if candidate and _go_version(candidate) >= GO:
            return candidate
    return None


def _go_version(go: str) -> tuple[int, int]:
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return (0, 0)
    match = re.search(r"go(\d+)\.(\d+)", said.stdout)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


NEEDS = (
    Need(
        name=f"Java {KAFKA_JAVA} or newer (runs the real Kafka)",
        wanted_by="tests/integration/kafka_server.py",
        find=lambda: find_java(KAFKA_JAVA),
        debian=("default-jre-headless",),
        elsewhere="https://adoptium.net, `brew install openjdk`, or set JAVA_HOME to one",
    ),
    Need(
        name=f"JDK {ELASTIC_JAVA} or newer (runs the real Elasticsearch)",
        wanted_by="tests/integration/elastic_server.py",
        find=lambda: find_java(ELASTIC_JAVA),
        debian=("openjdk-21-jdk-headless",),  # Debian 13 has it; Debian 12 ends at 17 and needs Temurin's packages
        elsewhere="https://adoptium.net (the JDK, not the JRE), `brew install openjdk`, or set JAVA_HOME to one",
    ),
    Need(
        name="Maven (downloads the real Kafka and Elasticsearch)",
        wanted_by="tests/integration/*_server.py",
        find=find_maven,
        debian=("maven",),
        elsewhere="https://maven.apache.org/download.cgi or `brew install maven`",
    ),
    Need(
        name="promtool (checks and runs the Prometheus rules)",
        wanted_by="tests/*/test_prometheus_*.py",
        find=find_promtool,
        debian=("prometheus",),
        elsewhere="https://prometheus.io/download or `brew install prometheus`",
    ),
    Need(
        name="Alertmanager (takes alerts in the tests of its channel)",
        wanted_by="tests/receivers/alertmanager_server.py",
        find=find_alertmanager,
        debian=("prometheus-alertmanager",),
        elsewhere="https://prometheus.io/download or `brew install alertmanager`",
    ),
    Need(
        name="Go 1.21 or newer (builds helm, kubeconform and the Compose validator)",
        wanted_by="tests/deploy/programs.py",
        find=find_go,
        debian=("golang-go",),
        elsewhere="https://go.dev/dl or `brew install go`",
    ),
    Need(
        name="strace (shows that nothing leaves the machine)",
        wanted_by="tests/loopback.py",
        find=lambda: shutil.which("strace"),
        debian=("strace",),
        elsewhere="Linux alone has it; its tests need the right to make a network namespace too",
    ),
    Need(
        name="Chromium (opens the live page)",
        wanted_by="tests/browser/test_*.py",
        find=find_chromium,
        debian=("chromium",),
        elsewhere="any Chromium or Chrome on PATH",
    ),
)


def missing(needs: Sequence[Need] = NEEDS, root: Path = ROOT) -> list[Need]:
    """Those that tests of this checkout want and this machine lacks."""
    return [need for need in needs if any(root.glob(need.wanted_by)) and need.find() is None]


def install(needs: Sequence[Need]) -> None:
    """Installs them from Debian's packages, each by itself: one that this Debian lacks holds up no other.

    Raises CalledProcessError when apt-get cannot bring one, after it tried the others.
    """
    packages = [package for need in needs for package in need.debian]
    print(f"moodwire tests: installing {' '.join(packages)} with apt-get", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    failure: subprocess.CalledProcessError | None = None
    for command in (["update"], *(["install", "-y", "--no-install-recommends", *need.debian] for need in needs)):
        try:
            subprocess.run(["apt-get", "-qq", *command], check=True, env=environment, stdout=subprocess.DEVNULL)
        except subprocess.CalledProcessError as error:
            failure = error
    if failure is not None:
        raise failure


def report(needs: Sequence[Need]) -> str:
    """What is missing and how to get it, for a person."""
    lines = ["moodwire tests: this machine lacks"]
    for need in needs:
        lines.append(f"  - {need.name}")
        lines.append(f"      Debian, Ubuntu: apt-get install {' '.join(need.debian)}")
        lines.append(f"      elsewhere:      {need.elsewhere}")
    lines.append("CI=true: this is an error." if in_ci() else "Their tests are SKIPPED. With CI=true this fails.")
    return "\n".join(lines)


def can_install() -> bool:
    """Debian's package manager is here and we may use it."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


def main() -> int:
    absent = missing()
    if absent and can_install():
        try:
            install(absent)
        except subprocess.CalledProcessError as error:
            print(f"moodwire tests: apt-get failed with status {error.returncode}", file=sys.stderr)
        absent = missing(absent)
    if absent:
        print(report(absent), file=sys.stderr)
    return 1 if absent and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
