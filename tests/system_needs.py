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

__all__ = ["NEEDS", "Need", "find_chromium", "find_java", "find_maven", "in_ci"]

ROOT = Path(__file__).resolve().parents[1]
JAVA_HOMES = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/java")
KAFKA_JAVA = 17  # the oldest that Kafka 4 brokers run on


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


NEEDS = (
    Need(
        name=f"Java {KAFKA_JAVA} or newer (runs the real Kafka)",
        wanted_by="tests/integration/kafka_server.py",
        find=lambda: find_java(KAFKA_JAVA),
        debian=("default-jre-headless",),
        elsewhere="https://adoptium.net, `brew install openjdk`, or set JAVA_HOME to one",
    ),
    Need(
        name="Maven (downloads the real Kafka)",
        wanted_by="tests/integration/kafka_server.py",
        find=find_maven,
        debian=("maven",),
        elsewhere="https://maven.apache.org/download.cgi or `brew install maven`",
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
    """Installs them from Debian's packages; raises CalledProcessError when apt-get fails."""
    packages = [package for need in needs for package in need.debian]
    print(f"moodwire tests: installing {' '.join(packages)} with apt-get", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", "-qq", *command], check=True, env=environment, stdout=subprocess.DEVNULL)


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
