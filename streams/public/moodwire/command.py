"""The console script `moodwire`: a process of our own, in which our packages have their plain names."""

from __future__ import annotations

import os
import sys

from moodwire._own import root

__all__ = ["main"]


def main() -> None:
    """Runs the command line; programs that it starts find the packages too."""
    folder = str(root())
    sys.path[:] = [folder, *(path for path in sys.path if path != folder)]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH", ""))))
    from streams.cli import main as run

    run()
