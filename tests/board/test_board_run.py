"""The board as commands start it: beside the pipeline, alone, and at the end of the demo."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from streams.board.server import BoardPortTaken, BoardServer
from streams.board.thread import BoardThread
from streams.cli.run import _board
from streams.errors import SettingsError
from tests.board.board_server import filled, settings_in
from tests.board.live_board import live_settings
from tests.board.streaming import listening

MOODWIRE = Path(sys.executable).with_name("moodwire")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")


async def test_a_tick_that_takes_long_delays_no_request(tmp_path: Path) -> None:
    """The loop of the pipeline counts until the board has answered, which it does from a loop of its own."""
    settings = settings_in(tmp_path)
    await filled(settings)
    async with BoardThread(BoardServer(settings)) as board:
        statuses: list[int] = []
        asking = asyncio.get_running_loop().run_in_executor(None, ask, board.server.address, 3, statuses)
        end = time.monotonic() + 60.0
        while len(statuses) < 3 and time.monotonic() < end:  # as a tick does: it keeps the processor and the loop
            pass
        assert statuses == [200, 200, 200]
        await asking


def ask(address: str, times: int, statuses: list[int]) -> None:
    """One request after the other."""
    for _ in range(times):
        with urllib.request.urlopen(f"{address}v1/status") as answer:
            statuses.append(answer.status)


async def test_a_taken_port_and_an_address_of_others_are_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with BoardServer(settings) as first:
        with pytest.raises(BoardPortTaken, match=f"MOODWIRE_BOARD_PORT={first.port}"):
            await BoardServer(settings, port=first.port).__aenter__()
        async with AsyncExitStack() as stack:  # without a port in the settings `run` goes on, and has no board
            assert await _board(BoardServer(settings, port=first.port), stack, needed=False) == ""
    with pytest.raises(SettingsError, match="cannot listen there"):
        await BoardThread(BoardServer(settings, port=70_000)).__aenter__()


@contextmanager
def started(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process with a board, and the board's address."""
    environment = {
        **os.environ,
        "MOODWIRE_DATA_DIR": str(folder),
        "MOODWIRE_HTTP_PORT": "0",
        "MOODWIRE_BOARD_PORT": "0",
    }
    process = subprocess.Popen([MOODWIRE, *words], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, next(found[0] for line in process.stdout if (found := ADDRESS.search(line)))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.mark.parametrize("words", [["run"], ["run", "--stage", "board"]], ids=["beside the stages", "alone"])
async def test_run_serves_the_board_until_it_is_stopped(tmp_path: Path, words: list[str]) -> None:
    with started(tmp_path, *words) as (process, address):
        async with aiohttp.ClientSession(address) as client, client.get("v1/status") as answer:
            status = await answer.json()
        assert (status["namespace"], status["kind"], status["items_total"]) == ("live", "live", 0)
    assert process.returncode == 0


@pytest.mark.slow
def test_on_a_terminal_the_demo_ends_with_the_board(tmp_path: Path) -> None:
    """It names the address, keeps the board open, does what is decided there, and ends well at Ctrl-C.

    A second demo leaves its data alone meanwhile.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "MOODWIRE_DATA_DIR": str(tmp_path), "MOODWIRE_BOARD_PORT": "0", "TERM": "xterm"}
    process = subprocess.Popen(
        [MOODWIRE, "demo"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    text = ""
    while not (found := ADDRESS.search(text)):
        text += os.read(ours, 65_536).decode(errors="replace")
    with urllib.request.urlopen(f"{found[0]}v1/status") as answer:
        status = json.load(answer)
    silence = urllib.request.Request(
        f"{found[0]}v1/silences",
        data=json.dumps({"matchers": ['series="watchlist/harrowgate"'], "for_seconds": 3600}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(silence) as answer:
        decided = json.load(answer)
    second = subprocess.run([MOODWIRE, "demo"], env=environment, capture_output=True, text=True, check=False)
    with urllib.request.urlopen(f"{found[0]}v1/silences") as answer:
        silences = json.load(answer)["items"]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    os.close(ours)
    assert decided["outcome"] == "accepted"
    assert (second.returncode, "another demo is at work" in second.stderr) == (1, True)
    assert [one["matchers"] for one in silences] == [['series="watchlist/harrowgate"']]
    assert status["namespace"] == "demo"
    assert status["items_total"] > 1_000


async def test_open_streams_are_counted(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    async with (
        BoardServer(live_settings(tmp_path), registry=registry) as server,
        listening(f"{server.address}v1/stream") as heard,
    ):
        await heard.block()
        assert registry.get_sample_value("moodwire_board_streams") == 1
