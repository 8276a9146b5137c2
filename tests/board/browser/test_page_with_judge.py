"""The page on the real board with a real judge beside it: what a reader decides is decided, and shown as such."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from streams.archive import closing_archive, open_archive
from streams.stages.watch import stored_alert
from streams.transport.loop_thread import LoopThread
from tests.alerts.delivery_event import delivery_event
from tests.board.board_server import Served
from tests.board.browser.conftest import Opening
from tests.board.live_board import desk, live_settings


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Served]:
    """A board with two open alerts that the judge knows and the archive has."""
    settings = live_settings(tmp_path)
    loop, opened = LoopThread("board"), desk(settings, "a", "b")

    async def archived() -> None:
        async with closing_archive(open_archive(settings.archive)) as archive:
            await archive.write_alerts([stored_alert(delivery_event(name)) for name in ("a", "b")])

    loop.call(archived)
    yield loop.call(opened.__aenter__)
    loop.call(lambda: opened.__aexit__(None, None, None))
    loop.close()


def test_a_reader_acknowledges_assigns_judges_and_silences(board: Served, opening: Opening) -> None:
    page = opening(f"{board.server.address}alerts/a")
    expect(page.locator(".lead")).to_be_visible()
    page.keyboard.press("a")
    page.get_by_label("Note (others see it)").fill("I look")
    page.keyboard.press("Enter")
    expect(page.locator(".held")).to_contain_text("Acknowledged by local")
    page.keyboard.press("m")
    page.get_by_label("To (empty: to no one)").fill("ann")
    page.keyboard.press("Enter")
    expect(page.locator(".held")).to_contain_text("Assigned to ann")
    page.keyboard.press("u")
    expect(page.locator(".toast", has_text="Kept: useful")).to_be_visible()
    page.keyboard.press("s")
    expect(page.locator(".hits")).to_contain_text("Hits 2 alerts now")
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    expect(page.locator(".heading")).to_contain_text(["Alerts", "silenced"])
    row = board.server.live.judge.state().alerts["a"]
    assert (row.acknowledged_by, row.assigned_to, row.verdicts) == ("local", "ann", {"local": "useful"})
