"""What moodwire says about itself goes through every channel."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import httpx
from rich.console import Console

from alerts.delivery import Delivered, FileChannel, Notice, Notification, TerminalChannel, WebhookChannel

NOW_MS = 1_750_000_000_000
NOTICE = Notice(
    id="n",
    revision=1,
    change="opened",
    reason="archive",
    subject="",
    detail="the archive refuses:\x1b[31m disk full",
    instance="host:1",
    since_ms=NOW_MS,
    updated_ms=NOW_MS,
)


async def test_a_notice_is_a_line_of_the_file_once(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path / "alerts.ndjson")
    for attempt in (1, 2):
        assert await channel.notify(Notification(NOTICE, attempt), NOW_MS) == Delivered()
    lines = (tmp_path / "alerts.ndjson").read_text().splitlines()
    assert len(lines) == 1
    written = json.loads(lines[0])
    assert written["notification"] == "n.1"
    assert "alert" not in written
    assert written["notice"]["reason"] == "archive"


async def test_a_notice_on_a_terminal_is_two_lines_without_control_characters() -> None:
    out = StringIO()
    await TerminalChannel(Console(file=out, width=200)).notify(Notification(NOTICE), NOW_MS)
    first, second = out.getvalue().splitlines()
    assert first.endswith("MOODWIRE IN TROUBLE  archive")
    assert "disk full" in second
    assert "\x1b" not in out.getvalue()


async def test_a_webhook_tells_a_notice_from_an_alert_by_its_type() -> None:
    posts: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        posts.append(json.loads(request.content))
        return httpx.Response(204)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    channel = WebhookChannel("https://hooks.example/x", client=client)
    assert await channel.notify(Notification(NOTICE), NOW_MS) == Delivered()
    await channel.aclose()
    assert posts[0]["type"] == "moodwire.opened"
