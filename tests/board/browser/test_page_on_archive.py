"""The page on the real board: a crisis in a real archive, as each view shows it, with the stream open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from streams.archive import closing_archive, open_archive
from streams.board.server import BoardServer
from streams.namespaces import Kind
from streams.settings import Settings
from streams.stages.watch import stored_alert
from streams.transport.loop_thread import LoopThread
from tests.archive_news import SERIES, crisis_news, watched_events
from tests.board.board_server import filled, settings_in
from tests.board.browser.conftest import Opening
from tests.stages.test_watch_hours import all_hours


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a board serves ten days of news, the hours of its series, and their alerts."""
    settings = settings_in(tmp_path_factory.mktemp("board"))
    loop, server = LoopThread("board"), BoardServer(settings, kind=Kind.REPLAY)
    loop.call(lambda: _crisis(settings))
    loop.call(server.__aenter__)
    yield server.address
    loop.call(lambda: server.__aexit__(None, None, None))
    loop.close()


async def _crisis(settings: Settings) -> None:
    await filled(settings)
    async with closing_archive(open_archive(settings.archive)) as archive:
        await archive.write_alerts([stored_alert(event) for event in watched_events(crisis_news())])
        await archive.record_hours(all_hours(crisis_news()))


def test_now_names_the_moment_and_what_is_open_or_calm(address: str, opening: Opening) -> None:
    page = opening(address)
    expect(page.locator("#top")).to_contain_text("Replay, up to")
    expect(page.locator(".multiple").first).to_be_visible()
    expect(page.locator(".heat tbody tr").first).to_be_visible()
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    expect(page.locator("html")).to_have_attribute("data-age", "fresh")


def test_the_crisis_is_in_the_series_its_hour_and_its_alert(address: str, opening: Opening) -> None:
    page = opening(f"{address}series/{SERIES.replace('/', '%2F')}")
    expect(page.get_by_role("region", name="Headlines of an hour")).to_contain_text("Run on ACME")
    expect(page.locator(".charts canvas")).to_have_count(2)
    page.goto(f"{address}alerts")
    page.locator(".alert-row a").first.click()
    detail = page.get_by_role("region", name="The chosen alert")
    expect(detail.locator(".lead")).to_contain_text("ACME: 15 negative of 35 items")
    expect(detail.locator(".timeline").first).to_contain_text("Escalated")


def test_the_feed_shows_each_story_once(address: str, opening: Opening) -> None:
    page = opening(f"{address}feed?q=run")
    expect(page.locator(".item").first).to_contain_text("Run on ACME")
    expect(page.locator("mark").first).to_have_text("Run")
    expect(page.locator(".facet").first).to_be_visible()
