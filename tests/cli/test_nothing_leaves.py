"""Nothing leaves the machine unasked: the embedded pipeline opens no socket and resolves no name."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tests.loopback import Alone, needs_namespace

MOODWIRE = Path(sys.executable).with_name("moodwire")
NEWS = [
    {"title": "Harrowgate Bancorp halts withdrawals", "source": "wire", "published": "2024-03-01T10:00:00Z"},
    {"title": "Larkfield Foods beats forecasts", "source": "wire", "published": "2024-03-01T11:00:00Z"},
]


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    needs_namespace()
    return Alone(tmp_path)


def test_a_name_that_is_asked_for_is_seen(alone: Alone) -> None:
    """The trace finds what it is there for, a query to the resolver among it."""
    alone.run(
        sys.executable,
        "-c",
        "import socket, contextlib\nwith contextlib.suppress(OSError): socket.getaddrinfo('a.example', 80)",
    )
    assert any("AF_INET" in line for line in alone.sockets())


@pytest.mark.parametrize(
    "words", [["demo", "--json"], ["score", "Harrowgate Bancorp halts withdrawals"]], ids=lambda one: one[0]
)
def test_demo_and_score_open_no_socket(alone: Alone, words: list[str]) -> None:
    assert alone.run(MOODWIRE, *words)
    assert alone.sockets() == []
    assert list(alone.cache.iterdir()) == [], "telemetry is kept there"


def test_a_replay_opens_no_socket(alone: Alone) -> None:
    file = alone.folder / "news.ndjson"
    file.write_text("".join(json.dumps(one) + "\n" for one in NEWS))
    report = json.loads(alone.run(MOODWIRE, "replay", file, "--json").splitlines()[-1])
    assert report["items"] == len(NEWS)
    assert alone.sockets() == []
    assert list(alone.cache.iterdir()) == []


def test_a_live_run_listens_on_loopback_and_opens_nothing_else(alone: Alone) -> None:
    """The addresses for operators and of the board are the two sockets, from the start to the end."""
    process = alone.start([MOODWIRE, "run"])
    while process.poll() is None and sum(line.startswith("bind(") for line in alone.sockets()) < 2:
        time.sleep(0.05)
    alone.stop(process)
    made = alone.sockets()
    assert [line.partition("(")[0] for line in made] == ["socket", "bind", "socket", "bind"]
    assert all('inet_addr("127.0.0.1")' in line for line in made if line.startswith("bind("))
    assert list(alone.cache.iterdir()) == []
