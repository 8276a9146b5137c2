"""The board's state, its page and its description, asked of a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.archive.protocol import RateBucket
from streams.board.reading.mood import mood_of
from streams.wall_clock import DAY_MS
from tests.archive_news import crisis_news
from tests.board.board_server import filled, serving, settings_in


async def test_status_of_a_filled_archive(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    await filled(settings)
    news = crisis_news()
    async with serving(settings, clock=lambda: 1_760_000_000_000) as board, board.client.get("v1/status") as answer:
        status = await answer.json()
    newest = max(item.news.seen_ms for item in news)
    assert answer.status == 200
    assert status["namespace"] == "board"
    assert status["kind"] == "replay"
    assert [(kind["name"], kind["label"], kind["of"], kind["head"]) for kind in status["kinds"]] == [
        ("all", "All items", "everything", None), ("source", "Sources", "source", None),
        ("topic", "Topics", "labels", "topic"), ("entity", "Companies", "entities", None),
        ("watchlist", "Watchlists", "watchlists", None),
    ]  # fmt: skip
    assert status["now_ms"] == 1_760_000_000_000
    assert status["items_total"] == len({item.news.id for item in news})
    assert status["newest_ms"] == newest
    assert status["mood"]["signal"] == "negative"
    assert status["mood"]["low"] <= status["mood"]["high"]
    assert status["scopes"] == ["act", "admin", "push", "read"]


async def test_status_of_an_empty_archive(tmp_path: Path) -> None:
    async with serving(settings_in(tmp_path)) as board, board.client.get("v1/status") as answer:
        status = await answer.json()
    assert (status["items_total"], status["newest_ms"], status["mood"], status["feeds"]) == (0, None, None, None)


async def test_every_view_shows_the_page(tmp_path: Path) -> None:
    async with serving(settings_in(tmp_path)) as board:
        for view in ("", "now", "series/entity%2FAAPL", "alerts", "alerts/1", "feed"):
            async with board.client.get(view) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")
        async with board.client.get("page/app.js") as script:
            assert script.content_type == "text/javascript"
        async with board.client.get("page/app.js", headers={"If-None-Match": script.headers["ETag"]}) as again:
            assert again.status == 304


@pytest.mark.parametrize(("path", "status"), [("nothing", 404), ("page/nothing.js", 404), ("v1/status?x=1", 400)])
async def test_errors_are_problems(tmp_path: Path, path: str, status: int) -> None:
    async with serving(settings_in(tmp_path)) as board, board.client.get(path) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        assert (await answer.json(content_type=None))["status"] == status


async def test_the_description_names_every_path(tmp_path: Path) -> None:
    async with serving(settings_in(tmp_path)) as board, board.client.get("openapi.json") as answer:
        document = await answer.json()
    assert document["openapi"] == "3.1.0"
    assert "/v1/status" in document["paths"]


def test_mood_compares_the_last_day_with_those_before() -> None:
    buckets = [RateBucket(day * DAY_MS, 10, hits, None) for day, hits in enumerate([1, 2, 1, 2, 8])]
    mood = mood_of(buckets, "negative", 5 * DAY_MS, 24)
    assert (mood.hits, mood.total, mood.share) == (8, 10, 0.8)
    assert mood.low is not None
    assert mood.high is not None
    assert mood.low < 0.15 < mood.high < 0.4
