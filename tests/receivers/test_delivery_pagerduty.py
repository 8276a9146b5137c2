"""The channel of PagerDuty, against a server on loopback that answers as PagerDuty does."""

from __future__ import annotations

import json

import msgspec
import pytest

from alerts import AlertEvent
from alerts.delivery import AlertGroup, Delivered, GiveUp, GroupChange, Notification, PagerDutyChannel, RetryLater
from alerts.records import TopItem
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.webhook_receiver import receiving

ITEM = TopItem("i1", NOW_MS, 0.9, "Bank halts withdrawals", "wire", "https://news.example/a")
EVENT = msgspec.structs.replace(delivery_event("a1"), top_items=(ITEM,), annotations={"runbook": "see wiki"})
GROUP = AlertGroup(
    id="g1", revision=4, receiver="pager", labels={"signal": "negative"}, alerts=(EVENT, delivery_event("a2")),
    change=GroupChange.UPDATED, severity="critical", opened_ms=NOW_MS, at_ms=NOW_MS, firing=2, resolved=0,
)  # fmt: skip


async def test_an_alert_is_an_incident_that_is_updated_and_resolved_under_one_key() -> None:
    over = msgspec.structs.replace(EVENT, revision=2, change="resolved", state="resolved")
    with receiving(202) as server:
        channel = PagerDutyChannel("s3cret", url=server.url)
        for event in (EVENT, over):
            assert await channel.notify(Notification(event), NOW_MS) == Delivered()
        await channel.aclose()
    opened, ended = (json.loads(post.body) for post in server.posts)
    assert ended == {"routing_key": "s3cret", "dedup_key": "a1", "event_action": "resolve"}
    assert (opened["routing_key"], opened["dedup_key"], opened["event_action"]) == ("s3cret", "a1", "trigger")
    payload = opened["payload"]
    assert payload["summary"].startswith("WARNING: entity/a, 3 negative in 15 min")
    assert (payload["severity"], payload["source"]) == ("warning", "moodwire")
    assert (payload["component"], payload["group"], payload["class"]) == ("entity/a", "negative", "volume")
    assert payload["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert payload["custom_details"]["runbook"] == "see wiki"
    assert opened["links"] == [{"href": "https://news.example/a", "text": "Bank halts withdrawals"}]


async def test_a_group_is_one_incident_that_lists_its_alerts() -> None:
    with receiving(202) as server:
        channel = PagerDutyChannel("key", url=server.url)
        assert await channel.notify(Notification(GROUP), NOW_MS) == Delivered()
        await channel.aclose()
    (found,) = (json.loads(post.body) for post in server.posts)
    assert (found["dedup_key"], found["payload"]["severity"]) == ("g1", "critical")
    assert len(found["payload"]["custom_details"]["alerts"]) == 2


@pytest.mark.parametrize(
    "event",
    [
        msgspec.structs.replace(GROUP, change=GroupChange.DIGEST),
        msgspec.structs.replace(EVENT, severity="info", change="noted", state="noted"),
    ],
    ids=["digest", "note"],
)
async def test_what_is_no_incident_is_not_sent_and_says_so(event: AlertEvent | AlertGroup) -> None:
    with receiving(202) as server:
        channel = PagerDutyChannel("key", url=server.url)
        answer = await channel.notify(Notification(event), NOW_MS)
        await channel.aclose()
    assert isinstance(answer, GiveUp)
    assert "no incident" in answer.reason
    assert server.posts == []


@pytest.mark.parametrize(("status", "down"), [(400, False), (429, True), (500, True)])
async def test_a_refused_event_holds_up_no_other_and_a_busy_service_all(status: int, down: bool) -> None:
    with receiving(status) as server:
        channel = PagerDutyChannel("s3cret", url=server.url)
        answer = await channel.notify(Notification(EVENT), NOW_MS)
        await channel.aclose()
    assert isinstance(answer, RetryLater)
    assert answer.down is down
    assert "s3cret" not in repr(channel) + channel.endpoint + answer.problem


@pytest.mark.parametrize(
    ("content_type", "answer", "problem", "down"),
    [
        ("text/html; charset=utf-8", b"<html>Sign in</html>", "a page of HTML; is this the address of the API?", True),
        ("application/json", b'{"status": "invalid event", "message": "no\\nkey"}', "202: invalid event no key", False),
        ("application/json", b'{"status": "success", "message": "Event processed"}', "", False),
        ("", b"", "", False),
    ],
)
async def test_an_answer_that_says_that_it_was_not_taken_is_believed(
    content_type: str, answer: bytes, problem: str, down: bool
) -> None:
    with receiving(202) as server:
        server.content_type, server.answer = content_type, answer
        channel = PagerDutyChannel("key", url=server.url)
        found = await channel.notify(Notification(EVENT), NOW_MS)
        await channel.aclose()
    assert isinstance(found, RetryLater if problem else Delivered)
    if isinstance(found, RetryLater):
        assert found.problem.endswith(problem)
        assert found.down == down
