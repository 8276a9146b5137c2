"""Ports for servers: no other test gets one, and the system gives it to nobody by chance."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from random import SystemRandom

import pytest

from tests.conftest import ROOT
from tests.integration import ports
from tests.integration.ports import free_port, free_ports

HOLDER = "from tests.integration.ports import *; print(free_port(), flush=True); input()"


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> range:
    """The only ports that there are; elsewhere than the others, which any test may take meanwhile."""
    firsts = SystemRandom().sample(range(61_000, 65_500), 1_000)
    first = next(first for first in firsts if all(map(ports._unused, range(first, first + 3))))
    monkeypatch.setattr(ports, "PORTS", range(first, first + 3))
    return ports.PORTS


def test_none_is_given_twice(three: range) -> None:
    assert sorted(free_ports(3)) == list(three)
    with pytest.raises(RuntimeError, match=f"no port from {three[0]} to {three[2]} is free"):
        free_port()


def test_a_port_with_a_listener_is_left_out(three: range) -> None:
    with socket.create_server(("127.0.0.1", three[1])):
        assert sorted(free_ports(2)) == [three[0], three[2]]


def test_that_of_another_process_is_left_out_until_the_process_ends(three: range) -> None:
    program = f"from tests.integration import ports; ports.PORTS = range({three[0]}, {three[0] + 1}); {HOLDER}"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert int(holder.stdout.readline()) == three[0]
        assert sorted(free_ports(2)) == [three[1], three[2]]
        holder.kill()
    assert free_port() == three[0]


def test_the_system_gives_none_of_them_out() -> None:
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not limits.exists():
        pytest.skip("the range is known on Linux alone")
    first = int(limits.read_text().split()[0])
    if first < ports.PORTS.stop:
        pytest.skip(f"this machine gives out ports from {first} on")
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert server.getsockname()[1] not in ports.PORTS
