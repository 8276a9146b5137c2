"""What the board reads, asked of a real server over a real archive: every view, its limits and its errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streams.archive import closing_archive, open_archive
from streams.archive.protocol import StoredDecision
from streams.stages.watch import stored_alert
from streams.wall_clock import DAY_MS, HOUR_MS
from tests.archive_news import CRISIS_MS, END_MS, SERIES, crisis_news, watched_events
from tests.board.board_server import Served, serving, settings_in
from tests.stages.test_watch_hours import all_hours

NAME = "v1/series/entity%2FACME/points"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def board(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A board over ten days of news with a crisis, its hours and its alert."""
    settings = settings_in(tmp_path_factory.mktemp("reads"))
    async with closing_archive(open_archive(settings.archive)) as archive:
        await archive.write_items(crisis_news())
        await archive.record_hours(all_hours(crisis_news()))
        await archive.write_alerts([stored_alert(event) for event in watched_events(crisis_news())])
        await archive.record_decisions([decision(place) for place in range(5)])
    async with serving(settings) as served:
        yield served


def decision(place: int) -> StoredDecision:
    return StoredDecision(place, f"d{place}", "note", "ann", "a", place, place, "accepted", 1, "", b'{"text":"x"}')


async def asked(board: Served, path: str, status: int = 200) -> Any:
    async with board.client.get(path) as answer:
        body = await answer.json(content_type=None)
        assert answer.status == status, body
        return body


async def all_pages(board: Served, path: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = await asked(board, f"{path}&cursor={cursor}")
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = page["next"]


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_address_that_is_none_is_the_page_to_a_browser_and_a_problem_to_a_program(board: Served) -> None:
    for path, accept, kind in (
        ("nonsense", "text/html,*/*;q=0.8", "text/html"),
        ("nonsense", "*/*", "application/problem+json"),
        ("v1/nonsense", "text/html", "application/problem+json"),
    ):
        async with board.client.get(path, headers={"Accept": accept}) as answer:
            assert (answer.status, answer.content_type) == (404, kind)
            assert "Content-Security-Policy" in answer.headers


async def test_items_page_by_page(board: Served) -> None:
    found = await all_pages(board, "v1/items?limit=100")
    assert len(found) == len({one["id"] for one in found}) == len(crisis_news())
    assert [one["seen_ms"] for one in found] == sorted((one["seen_ms"] for one in found), reverse=True)
    wanted = "series=entity%2FACME&label=sentiment:negative&q=run&story=one"
    negative = await all_pages(board, f"v1/items?limit=100&{wanted}")
    assert {one["heads"]["sentiment"]["label"] for one in negative} == {"negative"}
    assert all("«Run»" in one["snippet"] for one in negative)
    hour = f"since_ms={CRISIS_MS}&until_ms={CRISIS_MS + HOUR_MS}"
    of_wire = await all_pages(board, f"v1/items?{hour}&source=wire%201")
    assert of_wire
    assert {one["source"] for one in of_wire} == {"wire 1"}


async def test_facets_and_one_item(board: Served) -> None:
    facets = await asked(board, "v1/items/facets?series=entity%2FACME")
    assert facets["of"] == sum(one["count"] for one in facets["sentiment"])
    assert facets["entity"][0]["name"] == "ACME"
    some = (await asked(board, "v1/items?limit=1"))["items"][0]
    assert (await asked(board, f"v1/items/{some['id']}"))["revisions"] == [some | {"snippet": some["title"]}]
    assert "no item" in (await asked(board, "v1/items/nothing", 404))["detail"]


async def test_points_of_a_series(board: Served) -> None:
    since_ms, until_ms = CRISIS_MS - 7 * DAY_MS, CRISIS_MS + HOUR_MS
    points = await asked(board, f"{NAME}?since_ms={since_ms}&until_ms={until_ms}&bucket_ms={HOUR_MS}")
    assert len(points["points"]) == 7 * 24 + 1
    assert points["points"][-1]["hits"] == 14 > points["points"][-1]["high"]
    assert [alert["severity"] for alert in points["alerts"]]
    assert (await asked(board, NAME))["bucket_ms"] == HOUR_MS
    assert "no item of the series" in (await asked(board, "v1/series/entity%2FX/points", 404))["detail"]
    too_many = f"since_ms=0&until_ms={END_MS}&bucket_ms={HOUR_MS}"
    for wrong in ("bucket_ms=5400000", too_many, "signal=x", "since_ms=5&until_ms=1"):
        problem = await asked(board, f"{NAME}?{wrong}", 400)
        assert problem["errors"][0]["pointer"].startswith("/")


async def test_movers_and_heat_map(board: Served) -> None:
    span = f"since_ms={CRISIS_MS - 23 * HOUR_MS}&until_ms={CRISIS_MS + HOUR_MS}"
    movers = (await asked(board, f"v1/series?{span}&kind=entity"))["items"]
    assert movers[0]["name"] == SERIES
    assert movers[0]["surprise"] > 3
    assert movers[0]["newest"]["title"].startswith("Run on ACME")
    assert movers[0]["open_alert"] or movers[0]["open_alert"] is None
    paged = await all_pages(board, f"v1/series?{span}&kind=entity&limit=1")
    assert paged == movers
    assert [one["name"] for one in (await asked(board, f"v1/series?{span}&q=bolt"))["items"]] == ["entity/BOLT"]
    heat = await asked(board, f"v1/heatmap?{span}&rows=2")
    assert len(heat["hours"]) == 24
    assert heat["rows"][0]["cells"][-1]["hits"] == 14
    assert "there is no kind 'compny'" in (await asked(board, "v1/heatmap?kind=compny", 400))["detail"]
    assert "longer than" in (await asked(board, f"v1/heatmap?since_ms=0&until_ms={END_MS}", 400))["detail"]


async def test_alerts_with_their_timeline_and_explanation(board: Served) -> None:
    lists = {state: await asked(board, f"v1/alerts?state={state}") for state in ("open", "history", "acknowledged")}
    [alert] = [*lists["open"]["items"], *lists["history"]["items"]][:1]
    assert alert["sentence"].startswith("ACME: ")
    assert len(alert["last_day"]) == 25
    async with board.client.get(f"v1/alerts/{alert['id']}") as answer:
        one = await answer.json()
        assert answer.headers["ETag"] == f'"{one["version"]}"'
    assert one["timeline"][0]["kind"] == "opened"
    assert one["opened"]["at_ms"] == one["timeline"][0]["at_ms"]
    assert one["opening_headlines"]
    why = await asked(board, f"v1/alerts/{alert['id']}/explain")
    assert why["findings"][0]["reason"] == "opened"
    assert any(found["numbers"].get("level") for found in why["findings"][1:])
    await asked(board, "v1/alerts/nothing", 404)
    await asked(board, "v1/alerts/nothing/explain", 404)
    await asked(board, "v1/alerts?state=lost", 400)


async def test_audit_and_models(board: Served) -> None:
    entries = await all_pages(board, "v1/audit?limit=2")
    assert [one["id"] for one in entries] == ["d4", "d3", "d2", "d1", "d0"]
    assert entries[0]["decision"] == {"text": "x"}
    models = (await asked(board, "v1/model"))["items"]
    assert any("en" in one["serves"] for one in models)


@pytest.mark.parametrize("path", ["v1/items", "v1/audit", "v1/alerts", "v1/series"])
async def test_a_cursor_of_another_query_is_refused(board: Served, path: str) -> None:
    assert (await asked(board, f"{path}?cursor=AAAA", 400))["errors"][0]["pointer"] == "/cursor"


async def test_an_empty_archive_answers(tmp_path: Path) -> None:
    async with serving(settings_in(tmp_path)) as empty:
        assert (await asked(empty, "v1/items")) == {"items": [], "next": None}
        assert (await asked(empty, "v1/items/facets"))["of"] == 0
        assert (await asked(empty, "v1/series"))["items"] == []
        assert (await asked(empty, "v1/heatmap")) == {"hours": [], "rows": []}
        assert (await asked(empty, "v1/alerts"))["items"] == []
        await asked(empty, "v1/series/all/points", 404)
