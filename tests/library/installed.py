"""moodwire as pip would install it, in a virtual environment of its own that borrows all other packages."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

from tests.conftest import ROOT

__all__ = ["Installed"]


class Installed:
    """The wheel that hatchling builds for `target`, `wheel` or `wheel:editable`, unpacked into a fresh environment."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder = folder
        build = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder / "dist")]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        venv.create(folder / "venv", with_pip=False)
        (self.packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (wheel,) = (folder / "dist").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.packages)
        # A path in a .pth file is searched, and the .pth files in it are not read: this checkout stays out.
        (self.packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def run(self, *words: str | Path, folder: Path) -> str:
        """What `python WORDS` printed in the folder; it must end well."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MOODWIRE_", "PYTHON"))}
        done = subprocess.run(
            [self._folder / "venv" / "bin" / "python", *words],
            env=env | {"MOODWIRE_DATA_DIR": str(self._folder / "data"), "MOODWIRE_THREADS": "1"},
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout
