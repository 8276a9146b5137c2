"""Free ports for the servers that tests start.

    10000 to 32767 ──► claimed, by a lock ──► nothing listens there ──► ours until this process ends

Above them the system itself gives out ports (Linux from 32768, macOS from 49152) to whoever connects or asks for any.
So no other program comes by ours by chance, neither before a server listens there nor while one that was killed is
down, and the lock keeps other processes with tests off.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from functools import cache
from pathlib import Path
from random import SystemRandom

__all__ = ["free_port", "free_ports"]

PORTS = range(10_000, 32_768)

_ours: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on, and that no other test gets; raises RuntimeError when all are taken."""
    for port in SystemRandom().sample(PORTS, len(PORTS)):  # what a test seeds would give the same ones again
        if _claimed(port) and _unused(port):
            return port
    raise RuntimeError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def free_ports(count: int) -> list[int]:
    """Several of them."""
    return [free_port() for _ in range(count)]


def _claimed(port: int) -> bool:
    """Byte N of the file stands for port N. The system gives a lock back when its process ends, however it does."""
    if port in _ours:
        return False
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _ours.add(port)
    return True


@cache
def _claims() -> int:
    """Stays open: closing it would give all locks back."""
    path = Path(tempfile.gettempdir(), f"moodwire-test-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
