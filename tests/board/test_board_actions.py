"""What people decide over HTTP, with a real judge: versions, two people at once, repetitions, and no worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.archive import closing_archive, open_archive
from streams.board.context import Caller, Scope
from streams.board.once import Once
from streams.board.server import BoardServer
from streams.board.tokens import token_file
from streams.namespaces import Kind
from streams.settings import Settings
from streams.stages.watch import stored_alert
from streams.transport.broker import open_broker
from streams.wall_clock import HOUR_MS
from tests.alerts.delivery_event import delivery_event
from tests.archive_news import crisis_news
from tests.board.board_server import Served
from tests.board.live_board import asked, board_of, desk, live_settings
from tests.board.streaming import listening
from tests.integration.test_decisions import publish, worker
from tests.stages.deliver_harness import FakeReceiver


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return live_settings(tmp_path)


async def test_an_alert_is_acknowledged_assigned_noted_and_judged(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        status, one = await asked(board, "POST", "v1/alerts/a/acknowledge", {"for_seconds": 3600}, If_Match='"1"')
        assert (status, one["outcome"]) == (200, "accepted")
        for method, action, body in (
            ("DELETE", "acknowledge", None),
            ("POST", "assign", {"to": "bob"}),
            ("POST", "note", {"text": "a merger"}),
            ("POST", "verdict", {"verdict": "wrong_company"}),
        ):
            seen = one["version"]
            status, one = await asked(board, method, f"v1/alerts/a/{action}", body, If_Match=f'"{seen}"')
            assert (status, one["outcome"], one["version"]) == (200, "accepted", seen + 1), action
        row = board.server.live.judge.state().alerts["a"]
        assert (row.acknowledged_by, row.assigned_to, row.verdicts) == ("", "bob", {"local": "wrong_company"})
        assert [(note.by, note.text) for note in row.notes] == [("local", "a merger")]


async def test_of_two_people_who_act_at_once_one_is_answered_412_with_the_present_version(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        acts = [
            asked(board, "POST", "v1/alerts/a/assign", {"to": name}, If_Match='"1"', Idempotency_Key=name)
            for name in ("ann", "bob")
        ]
        answers = await asyncio.gather(*acts)
        assert sorted(status for status, _ in answers) == [200, 412]
        [won] = [body for status, body in answers if status == 200]
        [lost] = [body for status, body in answers if status == 412]
        assert str(won["version"]) in lost["detail"]


@pytest.mark.integration
async def test_on_kafka_an_action_is_decided_and_a_later_one_is_answered_412(
    tmp_path: Path, kafka_url: str, unique_topic: Callable[[str], str]
) -> None:
    settings = live_settings(tmp_path, broker_url=kafka_url, prefix=f"{unique_topic('b')}.")
    path, body = "v1/alerts/a/acknowledge", {"for_seconds": 3600, "note": "mine"}
    async with desk(settings, "a") as board:
        status, one = await asked(board, "POST", path, body, If_Match='"1"', Idempotency_Key="k")
        assert (status, one["outcome"]) == (200, "accepted")
        status, moved = await asked(board, "POST", path, body, If_Match='"1"')
        assert (status, str(one["version"]) in moved["detail"]) == (412, True)
        assert await asked(board, "POST", path, body, If_Match='"1"', Idempotency_Key="k") == (200, one)
        seen = f'"{one["version"]}"'
        assert (await asked(board, "POST", "v1/alerts/a/assign", {"to": "bob"}, If_Match=seen))[0] == 200
        row = board.server.live.judge.state().alerts["a"]
        assert (row.acknowledged_by, row.assigned_to, row.seen_version) == ("local", "bob", one["version"] + 1)


async def test_a_decision_names_the_version_that_was_seen(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        for headers, status in (
            ({}, 428),
            ({"If_Match": "1"}, 400),
            ({"If_Match": '"7"'}, 412),
            ({"If_Match": "*"}, 200),
        ):
            assert (await asked(board, "POST", "v1/alerts/a/note", {"text": "x"}, **headers))[0] == status


async def test_a_repetition_under_the_same_key_is_judged_once(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        note: dict[str, Any] = {"method": "POST", "path": "v1/alerts/a/note", "body": {"text": "once"}}
        first, again, other = [
            await asked(board, **note, If_Match="*", Idempotency_Key=key) for key in ("k1", "k1", "k2")
        ]
        assert [one[1]["outcome"] for one in (first, again, other)] == ["accepted"] * 3
        assert first == again != other
        assert len(board.server.live.judge.state().alerts["a"].notes) == 2
        for path, body in (("note", {"text": "twice"}), ("assign", {"to": "bob"})):
            status, problem = await asked(
                board, "POST", f"v1/alerts/a/{path}", body, If_Match="*", Idempotency_Key="k1"
            )
            assert (status, "another body" in problem["detail"]) == (422, True)


async def test_whoever_is_let_in_no_longer_has_no_stream_any_more(settings: Settings) -> None:
    tokens = token_file(settings)
    async with desk(settings, "a") as board:
        (mine, token), (_, other) = (tokens.make(name, [Scope.READ, Scope.ACT], 1) for name in ("ann", "bob"))
        url = f"{board.server.address}v1/stream?topics=alerts"
        async with listening(url, Authorization=f"Bearer {token}") as heard:
            await heard.block()
            tokens.revoke(mine.id)
            await asyncio.sleep(1.1)  # the stream asks at most once a second
            note = {"text": "x"}
            await asked(board, "POST", "v1/alerts/a/note", note, If_Match="*", Authorization=f"Bearer {other}")
            with pytest.raises(EOFError):
                await heard.next()


@pytest.mark.parametrize("path", ["v1/watchlists/mine", "v1/subscriptions/ann"])
async def test_what_is_for_everybody_is_changed_with_the_scope_admin(settings: Settings, path: str) -> None:
    async with board_of(settings) as board:
        (_, act), (_, admin) = (token_file(settings).make(one, [one], 1) for one in (Scope.ACT, Scope.ADMIN))
        refused, _ = await asked(board, "DELETE", path, If_Match="*", Authorization=f"Bearer {act}")
        answered, _ = await asked(board, "DELETE", path, If_Match='"x"', Authorization=f"Bearer {admin}")
        assert (refused, answered) == (403, 400)


async def test_without_a_worker_the_decision_waits_and_is_judged_by_the_next_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.board.handlers.decisions.ANSWER_SECONDS", 0.2)
    made: dict[str, Any] = {"matchers": ["series=entity/a"], "for_seconds": 3600, "comment": "known"}
    async with board_of(settings) as board:
        status, body = await asked(board, "POST", "v1/silences", made, Idempotency_Key="k")
        assert (status, body["status"]) == (503, 503)
        assert "Idempotency-Key" in body["detail"]
    monkeypatch.undo()
    async with desk(settings, "a") as board:
        status, one = await asked(board, "POST", "v1/silences", made, Idempotency_Key="k")
        assert (status, one["outcome"]) == (200, "repeated")
        _, hit = await asked(board, "POST", "v1/silences/preview", {"matchers": made["matchers"]})
        assert ([alert["id"] for alert in hit["alerts"]], hit["series"], hit["past"]) == (["a"], 1, 0)
        _, page = await asked(board, "GET", "v1/silences")
        [silence] = page["items"]
        assert (silence["id"], silence["by"], silence["firing"], silence["about"]) == (one["id"], "local", 1, "a")
        assert (await asked(board, "DELETE", f"v1/silences/{one['id']}", If_Match=f'"{silence["version"]}"'))[0] == 200
        assert (await asked(board, "GET", "v1/silences"))[1]["items"] == []


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_refusal_is_answered_alike_under_its_key_and_undoes_nothing_of_others(
    settings: Settings, restarted: bool
) -> None:
    path = "v1/alerts/a/acknowledge"
    async with desk(settings, "a") as board:
        refused = await asked(board, "DELETE", path, If_Match="*", Idempotency_Key="k")
        assert (refused[0], refused[1]["detail"]) == (409, "none is acknowledged")
        assert (await asked(board, "POST", path, {"for_seconds": 3600}, If_Match="*"))[0] == 200
        if restarted:
            board.server.live.decisions = Once()  # the judge remembers
        assert await asked(board, "DELETE", path, If_Match="*", Idempotency_Key="k") == refused
        assert board.server.live.judge.state().alerts["a"].acknowledged_by == "local"
        assert (await asked(board, "DELETE", path, If_Match='"1"', Idempotency_Key="old"))[0] == 412
        status, problem = await asked(board, "DELETE", path, If_Match='"2"', Idempotency_Key="old")
        assert (status, "take a new key" in problem["detail"]) == (422, True)
        assert (await asked(board, "DELETE", path, If_Match='"2"', Idempotency_Key="new"))[0] == 200


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("v1/alerts/nowhere/note", {"text": "x"}, 404, "no alert or group"),
    ("v1/alerts/a/acknowledge", {"until_ms": 1}, 409, "ended"),
    ("v1/alerts/a/verdict", {"verdict": "bad"}, 422, "/verdict"),
    ("v1/alerts/a/note", {"text": "x", "by": "eve"}, 422, "by"),
    ("v1/silences", {"matchers": ["kind=~("]}, 422, "/matchers/0"),
    ("v1/silences", {}, 422, "matcher"),
    ("v1/alerts/a/note", {"text": " \n"}, 422, "text: the note is empty"),
    ("v1/alerts/a/assign", {"to": "bob\x1b[2J"}, 422, "to: write one line"),
    (f"v1/alerts/{'a' * 200}/note", {"text": "x"}, 422, "target: is too long"),
]


async def test_what_cannot_be_followed_says_why(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        for path, body, status, words in REFUSED:
            found, problem = await asked(board, "POST", path, body, If_Match="*")
            assert (found, problem["status"]) == (status, status), path
            assert words in problem["detail"]


ROUTES = """
receivers:
  - {name: desk, email: {to: [desk@example.org], from: moodwire@example.org, host: 127.0.0.1}}
"""


async def test_watchlists_and_subscriptions_are_made_replaced_and_ended(settings: Settings, tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    async with desk(settings.model_copy(update={"routes": routes}), "a") as board:
        status, one = await asked(board, "PUT", "v1/watchlists/banks", {"names": ["Harrowgate"]}, If_None_Match="*")
        assert (status, one["version"]) == (200, 1)
        assert (await asked(board, "PUT", "v1/watchlists/banks", {"names": ["X"]}, If_None_Match="*"))[0] == 412
        assert (await asked(board, "PUT", "v1/watchlists/banks", {"name_s": ["X"]}, If_Match='"1"'))[0] == 422
        [shown] = (await asked(board, "GET", "v1/watchlists"))[1]["items"]
        assert (shown["name"], shown["by"], shown["body"]) == ("banks", "local", {"names": ["Harrowgate"]})
        assert (await asked(board, "DELETE", "v1/watchlists/banks", If_Match='"1"'))[0] == 200
        wish = {"channel": "desk", "address": "ann@example.org", "matchers": ["kind=entity"]}
        for address in ("http://169.254.169.254/", "slack://token"):
            status, problem = await asked(
                board, "PUT", "v1/subscriptions/ann", {**wish, "address": address}, If_None_Match="*"
            )
            assert (status, problem["errors"][0]["pointer"]) == (422, "/address")
        for name, more, pointer in (
            ("ann", {"quiet": {"start": "07:00", "end": "07:00"}}, "/quiet"),
            ("ann", {"quiet": {"start": "22:00", "end": "07:00", "unless": "loud"}}, "/quiet/unless"),
            ("ann%0Abob", {}, "/name"),
        ):
            status, problem = await asked(board, "PUT", f"v1/subscriptions/{name}", {**wish, **more}, If_None_Match="*")
            assert (status, problem["errors"][0]["pointer"]) == (422, pointer)
        assert (await asked(board, "PUT", "v1/watchlists/b%0Ac", {"names": ["X"]}, If_None_Match="*"))[0] == 422
        assert (await asked(board, "PUT", "v1/subscriptions/ann", wish, If_None_Match="*"))[0] == 200
        bare = {"channel": "desk", "watchlists": ["bnks"]}
        _, one = await asked(board, "PUT", "v1/subscriptions/bob", bare, If_None_Match="*")
        assert one["warnings"] == ["there is no watchlist 'bnks' yet; make it"]
        _, one = await asked(board, "DELETE", "v1/subscriptions/bob", If_Match='"1"')
        assert one["warnings"] == []
        [shown] = (await asked(board, "GET", "v1/subscriptions"))[1]["items"]
        assert (shown["name"], shown["by"], shown["wish"]["address"]) == ("ann", "local", "ann@example.org")
        assert (await asked(board, "DELETE", "v1/subscriptions/ann", If_Match='"1"'))[0] == 200


async def test_a_subscribers_own_address_is_refused_where_the_receiver_sends_no_mail(settings: Settings) -> None:
    async with desk(settings, "a") as board:
        wish = {"channel": "desk", "address": "ann@example.org"}
        status, problem = await asked(board, "PUT", "v1/subscriptions/ann", wish, If_None_Match="*")
        assert status == 422
        assert "'desk' sends to the operator's address alone; leave the address out" in problem["detail"]


async def test_ends_are_in_the_time_of_the_news_where_they_were_replayed(settings: Settings) -> None:
    async with desk(settings, "a", kind=Kind.REPLAY) as board:
        state = board.server.live.judge.state
        now_ms = state().now_ms
        body = {"matchers": ["kind=entity"], "for_seconds": 3600}
        assert (await asked(board, "POST", "v1/silences", body))[0] == 200
        body |= {"maintenance": True, "starts_ms": now_ms + 60_000}
        assert (await asked(board, "POST", "v1/silences", body))[0] == 200
        held = {"for_seconds": 60}
        assert (await asked(board, "POST", "v1/alerts/a/acknowledge", held, If_Match="*"))[0] == 200
        ends = sorted(mute.ends_ms - now_ms for mute in state().mutes.values())
        assert ends == [3_600_000, 3_660_000]
        assert state().alerts["a"].acknowledged_until_ms == now_ms + 60_000


async def test_an_action_is_heard_on_the_stream_with_the_status(settings: Settings) -> None:
    async with desk(settings, "a") as board, listening(f"{board.server.address}v1/stream") as one:
        assert (await one.next()).data["scopes"] == sorted(Caller("x", frozenset(Scope)).scopes)
        await asked(board, "POST", "v1/alerts/a/assign", {"to": "bob"}, If_Match="*")
        while (heard := await one.next()).data.get("assignee") != "bob":
            pass
        assert (heard.name, heard.data["id"]) == ("alert", "a")


async def test_a_silence_in_a_replay_at_rest_begins_where_the_judge_is(settings: Settings) -> None:
    """The judge is ahead of the newest item, and far behind the machine's clock."""
    (item, *_) = crisis_news()
    async with closing_archive(open_archive(settings.archive)) as archive:
        await archive.write_items([item])
        await archive.write_alerts([stored_alert(delivery_event("a"))])
    tick_ms = item.news.seen_ms + HOUR_MS
    with open_broker(settings.broker) as broker:
        publish(broker, settings, "a", tick_ms=tick_ms)
    async with (
        worker(settings, FakeReceiver("desk")),
        BoardServer(settings, kind=Kind.REPLAY) as server,
        aiohttp.ClientSession(server.address) as client,
    ):
        board = Served(server, client)
        while server.live.judge.state().now_ms < tick_ms:  # noqa: ASYNC110  # nor does the judge
            await asyncio.sleep(0.05)
        made = {"matchers": ["series=entity/a"], "for_seconds": 3600}
        assert (await asked(board, "POST", "v1/silences", made))[0] == 200
        [silence] = (await asked(board, "GET", "v1/silences"))[1]["items"]
        assert silence["ends_ms"] - silence["starts_ms"] == HOUR_MS
        while not (found := (await asked(board, "GET", "v1/alerts?state=silenced"))[1]["items"]):  # noqa: ASYNC110  # the copier tells no one
            await asyncio.sleep(0.05)
        assert [alert["id"] for alert in found] == ["a"]
