"""The channel of Alertmanager, against the real one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from alerts.delivery import AlertGroup, AlertmanagerChannel, Delivered, GroupChange, Notice, Notification, RetryLater
from alerts.delivery.alertmanager import alertmanager_alerts
from alerts.delivery.brief import brief_of
from alerts.records import labels_of
from streams.wall_clock import wall_clock_ms
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.receivers.alertmanager_server import Alertmanager, running_alertmanager
from tests.webhook_receiver import WebhookReceiver, receiving

ODD = 'a "b"\n{c}'
EVENT = delivery_event("a1")
EVENT = msgspec.structs.replace(EVENT, labels=EVENT.labels | {"name": ODD})
NOTICE = Notice(
    id="n1", revision=1, change="opened", reason="archive", subject="", detail="away", instance="one",
    since_ms=NOW_MS, updated_ms=NOW_MS,
)  # fmt: skip
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def pager() -> Iterator[WebhookReceiver]:
    with receiving(200) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def manager(pager: WebhookReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with running_alertmanager(tmp_path_factory.mktemp("alertmanager"), pager) as running:
        yield running


async def test_an_alert_fires_escalates_and_ends_in_a_real_alertmanager(
    manager: Alertmanager, pager: WebhookReceiver
) -> None:
    now_ms = wall_clock_ms()
    opened = msgspec.structs.replace(EVENT, onset_ms=now_ms - 60_000, updated_ms=now_ms)
    channel = AlertmanagerChannel(manager.url, labels={"team": "desk", "an odd.name": "x"})
    assert await channel.notify(Notification(opened), now_ms) == Delivered()
    (alert,) = manager.alerts()
    assert alert["labels"] == {
        "alertname": "volume", "signal": "negative", "series": "entity/a", "kind": "entity", "name": ODD,
        "severity": "warning", "team": "desk", "an_odd_name": "x",
    }  # fmt: skip
    assert "expected 0.1" in alert["annotations"]["summary"]
    _pages(pager, ["firing"])

    critical = opened.labels | {"severity": "critical"}
    worse = msgspec.structs.replace(
        opened, revision=2, change="escalated", severity="critical", state="escalated", labels=critical
    )
    assert await channel.notify(Notification(worse), now_ms + 1) == Delivered()
    assert [one["labels"]["severity"] for one in manager.alerts()] == ["critical"]
    assert await channel.notify(Notification(worse, 2), now_ms + 2) == Delivered()  # a repetition changes nothing
    assert len(manager.alerts()) == 1

    over = msgspec.structs.replace(worse, revision=3, change="resolved", state="resolved")
    assert await channel.notify(Notification(over), now_ms + 3) == Delivered()
    assert manager.alerts() == []
    last = _pages(pager, ["firing", "firing", "resolved"], at_least=True)
    assert {one["status"] for one in last["alerts"]} == {"resolved"}
    await channel.aclose()


async def test_a_notice_of_moodwire_itself_fires_and_ends(manager: Alertmanager) -> None:
    now_ms = wall_clock_ms()
    notice = msgspec.structs.replace(NOTICE, since_ms=now_ms, updated_ms=now_ms)
    channel = AlertmanagerChannel(f"{manager.url}/api/v2/alerts")
    assert await channel.notify(Notification(notice), now_ms) == Delivered()
    (alert,) = manager.alerts()
    assert (alert["labels"]["alertname"], alert["labels"]["reason"]) == ("moodwire", "archive")
    well = msgspec.structs.replace(notice, revision=2, change="resolved", updated_ms=now_ms + 1)
    assert await channel.notify(Notification(well), now_ms + 1) == Delivered()
    assert manager.alerts() == []
    await channel.aclose()


async def test_an_alertmanager_that_is_away_or_wants_a_login_is_tried_again() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(401)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    channel = AlertmanagerChannel("http://am.example/", authorization="Bearer s3cret", client=client)
    found = await channel.notify(Notification(EVENT), NOW_MS)
    assert isinstance(found, RetryLater)
    assert found.down
    assert seen[0].url == "http://am.example/api/v2/alerts"
    assert seen[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(channel) + channel.endpoint + found.problem
    await channel.aclose()


def test_a_firing_alert_ends_by_itself_after_the_hold_and_an_ended_one_at_its_end() -> None:
    (firing,) = alertmanager_alerts(brief_of(EVENT), NOW_MS + 5, HOUR_MS)
    assert (firing["startsAt"], firing["endsAt"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T23:13:20.005Z")
    over = msgspec.structs.replace(EVENT, revision=2, change="resolved", state="resolved", updated_ms=NOW_MS + 9_000)
    (ended,) = alertmanager_alerts(brief_of(over), NOW_MS + 5, HOUR_MS)  # the event's clock is ahead
    assert (ended["startsAt"], ended["endsAt"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.005Z")


def _pages(pager: WebhookReceiver, statuses: list[str], *, at_least: bool = False) -> dict[str, Any]:
    """Awaits what Alertmanager notifies of, by status in order; returns the last post."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        posts: list[dict[str, Any]] = [json.loads(post.body) for post in list(pager.posts)]
        found = [post["status"] for post in posts]
        if found == statuses or (at_least and found and found[-1] == statuses[-1]):
            return posts[-1]
        time.sleep(0.05)
    raise AssertionError(f"Alertmanager notified of {found}, not of {statuses}")


def test_a_group_is_posted_as_its_alerts_and_a_note_ends_by_itself() -> None:
    labels = labels_of("volume", "negative", "entity/a", "entity", "critical", {"team": "desk"})
    over = msgspec.structs.replace(delivery_event("a2", 3), change="resolved", state="resolved")
    worse = msgspec.structs.replace(
        delivery_event("a3", 2), severity="critical", labels=labels, annotations={"run book": "see wiki"}
    )
    note = msgspec.structs.replace(delivery_event("a4"), severity="info", change="noted", state="noted", labels={})
    group = AlertGroup(
        id="g1", revision=1, receiver="on call", labels={"kind": "entity"}, alerts=(worse, note, over),
        change=GroupChange.UPDATED, severity="critical", opened_ms=NOW_MS, at_ms=NOW_MS, firing=1, resolved=1,
    )  # fmt: skip
    found = alertmanager_alerts(brief_of(group), NOW_MS + 5, 48 * HOUR_MS)
    states = [(one["labels"]["severity"], one["endsAt"]) for one in found]
    assert states == [
        ("critical", "2023-11-16T22:13:20.005Z"),
        ("warning", "2023-11-14T22:13:20.000Z"),
        ("info", "2023-11-14T23:13:20.005Z"),
        ("warning", "2023-11-14T22:13:20.000Z"),
    ]
    assert found[0]["labels"]["team"] == "desk"
    assert found[0]["annotations"]["run_book"] == "see wiki"
    assert found[0]["annotations"]["moodwire_id"] == "a3"
