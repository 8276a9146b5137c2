"""`moodwire run` with feeds, as a process: it polls, parses elsewhere, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.feeds.desk import rss
from tests.feeds.feed_server import Answer, running_feed_server
from tests.integration.replays import command, environment


def parser_of(pid: int) -> int | None:
    """The process's only child, once it is the parser."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"streams.feeds.documents.program" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return None


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition: Callable[[], bool], at_most_seconds: float = 120) -> None:
    deadline = time.monotonic() + at_most_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process: there is no event to wait for


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for the parser process in /proc")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
async def test_feeds_are_polled_and_the_parser_ends_with_the_process(tmp_path: Path, ending: signal.Signals) -> None:
    async with running_feed_server() as server:
        server.answers["/rss"] = Answer(body=rss("Acme falls"))
        feeds = tmp_path / "feeds.yaml"
        feeds.write_text(f"feeds: [{{url: '{server.url('/rss')}', name: wire, interval_seconds: 10}}]")
        process = await asyncio.create_subprocess_exec(
            *command("run", "--stage", "feeds"),
            env=environment(tmp_path) | {"MOODWIRE_FEEDS": str(feeds), "MOODWIRE_HTTP_PORT": "0"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            await asyncio.to_thread(wait_for, lambda: parser_of(process.pid) is not None)
            parser = parser_of(process.pid)
            assert parser is not None
            process.send_signal(ending)
            _, errors = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == (0 if ending is signal.SIGTERM else -signal.SIGKILL), errors
    await asyncio.to_thread(wait_for, lambda: is_gone(parser))
