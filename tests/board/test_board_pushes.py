"""News that are pushed, corrections and promotions over HTTP, on a live board with real files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models import shipped
from models.artifact import MANIFEST
from streams.classifiers import registry_of
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.jobs.retry import read_rejects
from streams.lifecycle.feedback import read_feedback
from streams.records import News
from streams.serving.control import read_control
from streams.settings import Settings
from streams.transport.broker import Broker, open_broker
from tests.archive_news import crisis_news
from tests.board.board_server import Served, filled, serving, settings_in
from tests.board.live_board import asked, board_of, live_settings

GOOD = {"title": "Shares plunge", "source": "wire", "url": "https://example.org/1", "published": "2026-01-02T03:04:05Z"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return live_settings(tmp_path)


@pytest.fixture
def broker(settings: Settings) -> Iterator[Broker]:
    with open_broker(settings.broker) as broker:
        yield broker


async def push(board: Served, body: bytes, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
    named = {"Content-Type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with board.client.post("v1/news", data=body, headers=named) as answer:
        return answer.status, await answer.json(content_type=None)


def pushed(broker: Broker, settings: Settings) -> list[News]:
    records = list(broker.scan(settings.topics.news))
    return [news_from_record(one.value, one.timestamp_ms, FieldMap.default(), one.timestamp_ms) for one in records]


async def test_each_line_gets_a_result_and_what_is_refused_is_parked(settings: Settings, broker: Broker) -> None:
    lines = [json.dumps(GOOD), "", '{"title": ""}', "[1]", "{", json.dumps({**GOOD, "title": "Profits rise"})]
    async with board_of(settings) as board:
        status, answer = await push(board, "\r\n".join(lines).encode(), "application/x-ndjson")
        assert (status, answer["accepted"], answer["refused"]) == (200, 2, 3)
        assert [(one["line"], one["status"]) for one in answer["results"]] == [
            (1, "accepted"), (3, "refused"), (4, "refused"), (5, "refused"), (6, "accepted"),
        ]  # fmt: skip
        assert "title" in answer["results"][1]["detail"]
    found = pushed(broker, settings)
    assert sorted(one.title for one in found) == ["Profits rise", "Shares plunge"]
    assert {one.source for one in found} == {"wire"}
    parked = read_rejects(broker, settings.topics)
    assert sorted(one.reason for one in parked) == ["bad_json", "no_title", "not_an_object"]
    assert {(one.kind, one.source) for one in parked} == {("push", "local")}


async def test_json_is_an_item_or_an_array_of_items(settings: Settings, broker: Broker) -> None:
    async with board_of(settings) as board:
        assert (await push(board, json.dumps(GOOD).encode()))[1]["accepted"] == 1
        many = [{**GOOD, "title": f"Headline {number}"} for number in range(300)]
        assert (await push(board, json.dumps([*many, 7]).encode()))[1] | {"results": 0} == {
            "accepted": 300, "refused": 1, "results": 0,
        }  # fmt: skip
        assert (await push(board, b"[{]"))[0] == 400
        assert (await push(board, b"<rss/>", "text/xml"))[0] == 415
        assert (await push(board, b"[" + b"1," * 10_001 + b"1]"))[0] == 413
    assert len(pushed(broker, settings)) == 301


async def test_a_push_of_the_same_key_is_answered_alike_and_sent_once(settings: Settings, broker: Broker) -> None:
    body = json.dumps(GOOD).encode()
    async with board_of(settings) as board:
        first = await push(board, body, Idempotency_Key="k")
        assert await push(board, body, Idempotency_Key="k") == first
        status, problem = await push(board, b"{}", Idempotency_Key="k")
        assert (status, "Idempotency-Key" in problem["detail"]) == (422, True)
    assert len(pushed(broker, settings)) == 1


async def test_a_replay_takes_no_news(tmp_path: Path) -> None:
    async with serving(settings_in(tmp_path)) as board:
        status, problem = await push(board, json.dumps(GOOD).encode())
        assert (status, "replay" in problem["detail"]) == (409, True)


async def test_a_correction_is_kept_under_the_name_of_who_asks(settings: Settings, broker: Broker) -> None:
    item = crisis_news()[0]
    await filled(settings, [item])
    path = f"v1/items/{item.news.id}/feedback"
    async with board_of(settings) as board:
        right = {"head": "sentiment", "label": "negative", "note": "a plunge"}
        assert await asked(board, "POST", path, right) == (202, {"id": item.news.id})
        about = {"head": "sentiment", "label": "negative", "entity": item.entities[0].name}
        status, _ = await asked(board, "POST", path, about)
        for body, wanted in (
            ({"head": "sentiment", "label": "awful"}, 422),
            ({"head": "mood", "label": "negative"}, 422),
            ({"head": "sentiment", "label": "negative", "by": "eve"}, 422),
        ):
            assert (await asked(board, "POST", path, body))[0] == wanted, body
        assert (await asked(board, "POST", "v1/items/none/feedback", right))[0] == 404
    words = read_feedback(broker.scan(settings.topics.feedback))
    assert ("local", {"sentiment": "negative"}, "a plunge", "m 1") in [
        (one.by, dict(one.labels), one.note, one.version) for one in words
    ]
    assert status in (202, 422)  # by whether the profile judges entities


async def test_a_version_that_the_gate_passed_goes_into_service(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    registry, now = registry_of(settings), ("finance-en-minilm-int8", "1.6.0")
    copy = Path(shutil.copytree(shipped(now[0]), tmp_path / "next"))
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": "9.0.0"}), encoding="utf-8")
    registry.add(copy)
    wanted = {"name": now[0], "version": "9.0.0"}
    async with board_of(settings) as board:
        status, problem = await asked(board, "POST", "v1/model/promote", wanted)
        assert (status, "run `moodwire model gate" in problem["detail"]) == (409, True)
        registry.keep_verdict(wanted["name"], wanted["version"], {"passed": True, "current": list(now), "checks": []})
        status, done = await asked(board, "POST", "v1/model/promote", wanted)
        assert (status, done["gate"], done["by"], done["language"]) == (200, "passed", "local", "en")
        [promotion] = read_control(broker.scan(settings.topics.control)).promotions.values()
        assert (promotion.version, promotion.number) == (done["version"], done["number"]) == ("9.0.0", done["number"])
        _, found = await asked(board, "GET", "v1/model")
        assert {one["version"]: one["serves"] for one in found["items"] if one["name"] == now[0]}["9.0.0"] == ["en"]
        assert (await asked(board, "POST", "v1/model/promote", wanted))[0] == 409


async def test_a_promotion_is_refused_with_the_answer_of_the_gate(settings: Settings) -> None:
    async with board_of(settings) as board:
        status, problem = await asked(board, "POST", "v1/model/promote", {"name": "nothing", "version": "1"})
        assert (status, "nothing" in problem["detail"]) == (404, True)
        shipped = {"name": "finance-en-minilm-int8", "version": "1.6.0"}
        status, problem = await asked(board, "POST", "v1/model/promote", shipped)
        assert (status, "in service already" in problem["detail"]) == (409, True)
