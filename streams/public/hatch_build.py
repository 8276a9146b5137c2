"""Puts the public package and the charts of the page into wheels, and the charts into a checkout.

    deploy/locks/page.txt ──► the wheel of uplot-python ──► uPlot.iife.js, uPlot.min.css ──► streams/board/page/vendor

The wheel is unpacked and not installed: it would bring IPython, which nothing here needs. A folder that holds the files
of the locked wheel is left alone, so that building again needs no network.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("streams") / "public" / "moodwire"
LOCK = Path("deploy") / "locks" / "page.txt"
VENDOR = Path("streams") / "board" / "page" / "vendor"
TAKEN = {"uplot/static/uPlot.iife.js": "uPlot.iife.js", "uplot/static/uPlot.min.css": "uPlot.min.css"}
STAMP = "SOURCE"
"""The file of VENDOR that says which locked wheel its files are of."""


class PublicPackage(BuildHookInterface):  # type: ignore[type-arg]  # of any builder
    """`streams` is below `moodwire` in a wheel, so no rewriting of paths could put `streams/public/moodwire` on top."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the package's files to a wheel of the version `standard`, and the page's charts to any."""
        fill_vendor(Path(self.root))
        build_data["artifacts"].append(f"/{VENDOR.as_posix()}/")  # git ignores it; the wheel must not
        if version == "standard":
            build_data["force_include"][str(Path(self.root) / PACKAGE)] = PACKAGE.name


def fill_vendor(root: Path) -> None:
    """Copies the charts of the locked wheel into the page; raises RuntimeError when pip cannot bring it."""
    locked = "".join(line for line in (root / LOCK).read_text().splitlines(keepends=True) if not line.startswith("#"))
    vendor = root / VENDOR
    if (vendor / STAMP).is_file() and (vendor / STAMP).read_text() == locked:
        return
    vendor.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(_downloaded(root / LOCK, Path(folder))) as wheel:
        for held, name in TAKEN.items():
            (vendor / name).write_bytes(wheel.read(held))
    (vendor / STAMP).write_text(locked)


def _downloaded(lock: Path, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    locked = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)]
    command = [*pip, *locked, "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter's pip
    if done.returncode:
        raise RuntimeError(f"pip could not bring the page's charts, pinned in {lock}: {done.stderr.strip()}")
    (wheel,) = folder.glob("*.whl")
    return wheel
