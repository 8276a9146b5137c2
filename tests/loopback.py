"""Runs a program in a network namespace that has loopback and nothing else, and names every socket that it asks for.

unshare --net ──► this file as a program: sets loopback up ──► strace (socket, connect, bind) ──► the program
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.system_needs import in_ci

__all__ = ["Alone", "needs_namespace"]

_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP_AND_RUNNING = 0x41
_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(socket|connect|bind)\(?.*", re.MULTILINE)


@cache
def _missing() -> str:
    """Why it cannot be done here, or nothing."""
    absent = [name for name in ("unshare", "strace") if shutil.which(name) is None]
    if absent:
        return f"{' and '.join(absent)} not installed"
    tried = subprocess.run([*_namespace(), "strace", "-qq", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"not permitted here: {tried.stderr.strip()[:200]}"


def needs_namespace() -> None:
    """Skips the test, loudly, where the machine cannot do it; with CI=true a missing program is a failure."""
    reason = _missing()
    if reason and in_ci() and "not permitted" not in reason:
        pytest.fail(f"CI=true, and a namespace with loopback only cannot be traced: {reason}")
    if reason:
        pytest.skip(f"whether anything leaves the machine was NOT tested: {reason}")


def _namespace() -> list[str]:
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *rights, "--net", sys.executable, __file__]


@dataclass(slots=True)
class Alone:
    """A program of its own in such a namespace, with `folder` for its home, cache, data and the trace."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "home" / ".cache"

    def start(self, words: Sequence[str | Path]) -> subprocess.Popen[str]:
        """Starts `words`; output is read by `communicate`."""
        self.cache.mkdir(parents=True, exist_ok=True)
        homes = {"HOME": str(self.folder / "home"), "XDG_CACHE_HOME": str(self.cache)}
        data = {"MOODWIRE_DATA_DIR": str(self.folder / "data"), "MOODWIRE_THREADS": "1"}
        what = ["-f", "-qq", "-e", "trace=socket,connect,bind", "-e", "signal=none"]
        tracer: list[str | Path] = ["strace", *what, "-o", self.trace]
        return subprocess.Popen(
            [*_namespace(), *tracer, *words], cwd=self.folder, env=_plain_environment() | homes | data,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str | Path) -> str:
        """What the program printed; it must end well."""
        process = self.start(words)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return out

    @property
    def trace(self) -> Path:
        return self.folder / "sockets.txt"

    def sockets(self) -> list[str]:
        """Every call for a socket, a connection or an address, as strace wrote it without the process."""
        found = self.trace.read_text() if self.trace.exists() else ""
        return [line.group().split(maxsplit=1)[1] for line in _CALL.finditer(found)]

    def stop(self, process: subprocess.Popen[str]) -> None:
        """Sends SIGTERM to the program, once a line of the trace names it, and waits until strace has ended too."""
        traced = int(self.trace.read_text().split(maxsplit=1)[0])
        os.kill(traced, signal.SIGTERM)
        process.communicate()


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MOODWIRE_", "ORT_"))}


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))


if __name__ == "__main__":
    _loopback_up()
    os.execvp(sys.argv[1], sys.argv[1:])
