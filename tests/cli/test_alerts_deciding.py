"""What people decide about alerts on the command line, beside a worker and without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from alerts import AlertEvent
from alerts.records import labels_of
from streams.alert_log import Seal, seal_send, tick_header
from streams.app import Pipeline
from streams.cli import app
from streams.cli.output import utc
from streams.engine.ports import Send
from streams.errors import MoodwireError
from streams.jobs.judge_state import read_judge
from streams.namespaces import Kind
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.running_pipeline import running
from tests.stages.deliver_harness import FakeReceiver

RUNNER = CliRunner(env={"COLUMNS": "200"})
ACME, BOLT = "a" * 32, "b" * 32
LISTS = """
watchlists:
  - name: my bank
    names: [Harrowgate Bancorp]
    not: [football]
  - name: sea
    terms: [ship]
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A namespace whose topic `alerts` has two alerts that fire, and the seal of their tick."""
    for name, value in {"DATA_DIR": str(tmp_path), "NAMESPACE": "calls", "HTTP_PORT": "0"}.items():
        monkeypatch.setenv(f"MOODWIRE_{name}", value)
    settings = Settings(data_dir=tmp_path, namespace="calls")
    settings.home.mkdir(parents=True)
    with open_broker(settings.broker) as broker:
        broker.ensure_topics(topic_specs(settings))
        topic = settings.topics.alerts
        events = [event(ACME, "entity/ACME", "warning"), event(BOLT, "entity/\x1b[31mBOLT", "critical")]
        sends = [Send(topic, b"k", one.to_json(), 0, (tick_header(0),)) for one in events]
        broker.append([*sends, seal_send(topic, Seal(partition=0, partitions=1, tick_ms=NOW_MS))])
    return settings


def event(name: str, series: str, severity: str) -> AlertEvent:
    labels = labels_of("volume", "negative", series, "entity", severity)
    return msgspec.structs.replace(delivery_event(name), series=series, severity=severity, labels=labels)


@asynccontextmanager
async def worker(settings: Settings, kind: Kind = Kind.LIVE) -> AsyncIterator[None]:
    """A process of `deliver`, as far as commands can tell, that has judged all there is."""
    pipeline = Pipeline(settings, ["deliver"], channels=[FakeReceiver("desk")], kind=kind)
    async with asyncio.timeout(180), pipeline, running(pipeline):
        while pipeline.broker.lag(settings.topics.group("deliver"), settings.topics.alerts):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        yield


def said(*words: str, code: int = 0) -> str:
    done = RUNNER.invoke(app, list(words))
    raised = str(done.exception) if isinstance(done.exception, MoodwireError) else ""
    assert done.exit_code == code, (words, done.output, done.exception)
    return done.output + raised


def rows(*words: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(*words, "--json", code=code).splitlines() if line.startswith("{")]


async def decided(*words: str, code: int = 0) -> dict[str, Any]:
    """The answer to a decision; the worker goes on meanwhile."""
    [answer] = await asyncio.to_thread(rows, *words, "--wait", "60", code=code)
    assert answer["answered"] is True
    return answer


async def test_people_look_after_alerts(settings: Settings) -> None:
    async with worker(settings):
        first = await decided("alerts", "ack", ACME[:6], "--for", "2h", "--by", "ann", "--comment", "on it")
        assert (first["outcome"], first["detail"]) == ("accepted", "entity/ACME")
        late = await decided("alerts", "ack", ACME, "--seen", "1", "--by", "ben", code=1)
        assert (late["outcome"], late["version"]) == ("moved", first["version"])
        assert (await decided("alerts", "assign", ACME, "cleo"))["version"] == first["version"] + 1
        assert (await decided("alerts", "note", ACME, "a rumour\x1b[31m"))["outcome"] == "accepted"
        assert (await decided("alerts", "unack", ACME, "--by", "ann"))["outcome"] == "accepted"
        assert (await decided("alerts", "unack", ACME, code=1))["outcome"] == "over"
        assert "no alert or group 'dddd'" in await asyncio.to_thread(said, "alerts", "ack", "dddd", code=1)
        while len(trail := await asyncio.to_thread(rows, "audit")) < 6:  # noqa: ASYNC110  # the copier tells no one
            await asyncio.sleep(0.1)
    assert [(row["kind"], row["outcome"]) for row in trail] == [
        ("acknowledge", "accepted"), ("acknowledge", "moved"), ("assign", "accepted"), ("note", "accepted"),
        ("unacknowledge", "accepted"), ("unacknowledge", "over"),
    ]  # fmt: skip
    assert {row["target"] for row in trail} == {ACME}
    assert [row["by"] for row in trail[:2]] == ["ann", "ben"]
    assert trail[0]["decision"]["comment"] == "on it"


async def test_what_the_judge_cannot_read_is_refused_before_it_is_sent(settings: Settings) -> None:
    async with worker(settings):
        for words, problem in (
            (("note", ACME, " "), "text: the note is empty"),
            (("note", ACME, "x" * 100_000), "text: is too long; write at most 2,000 characters"),
            (("ack", ACME, "--for", "9999999d"), "until_ms: is after the year 9999; take an earlier time"),
            (("assign", ACME, "x\ny"), "to: write one line"),
        ):
            shown = await asyncio.to_thread(said, "alerts", *words, code=2)
            assert problem in " ".join(shown.replace("│", " ").split())


def test_a_user_whose_name_is_not_utf_8_is_named_by_an_option(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "\udcff")
    assert "by: has characters that are no Unicode" in said("alerts", "silence", "a=b", code=2)


async def test_alerts_are_silenced_after_a_look_at_what_matches(settings: Settings) -> None:
    async with worker(settings):
        call = "alerts", "silence", "severity=critical", "--comment", "known"
        assert await asyncio.to_thread(rows, *call, "--dry-run") == [{"matches": [BOLT]}]
        shown = await asyncio.to_thread(said, *call, "--until-worse", "--wait", "60")
        assert "1 of 2 firing alerts match" in shown
        assert "\x1b[31m" not in shown
        [listed] = await asyncio.to_thread(rows, "silences")
        assert listed["matchers"] == ['severity="critical"']
        assert (listed["kind"], listed["until_worse"], listed["firing"]) == ("silence", True, 1)
        assert (await decided("alerts", "silence", "--maintenance", "--for", "1d"))["outcome"] == "accepted"
        assert len(await asyncio.to_thread(rows, "silences")) == 2
        assert (await decided("alerts", "unsilence", listed["id"][:6]))["outcome"] == "accepted"
        assert [row["kind"] for row in await asyncio.to_thread(rows, "silences")] == ["maintenance"]
        assert "no silences begin" in await asyncio.to_thread(said, "alerts", "unsilence", listed["id"], code=1)


async def test_in_a_replay_ends_are_compared_with_its_last_tick(settings: Settings) -> None:
    begins, over = (utc(NOW_MS + hours * 3_600_000).removesuffix(" UTC") for hours in (1, -1))
    async with worker(settings, Kind.REPLAY):
        later = "--from", begins, "--until", utc(NOW_MS + 7_200_000).removesuffix(" UTC")
        for more in ((), ("--maintenance",)):
            assert (await decided("alerts", "silence", "kind=entity", *later, *more))["outcome"] == "accepted"
            assert (await decided("alerts", "silence", "kind=entity", "--for", "1h", *more))["outcome"] == "accepted"
        listed = await asyncio.to_thread(rows, "silences")
        assert [row["ends_ms"] - NOW_MS for row in listed] == pytest.approx(
            [3_600_000] * 2 + [7_200_000] * 2, abs=60_000
        )
        assert [row["starts_ms"] == NOW_MS for row in listed] == [True, True, False, False]
        assert (await decided("alerts", "ack", ACME, "--for", "2h"))["outcome"] == "accepted"
        with open_broker(settings.broker) as broker:
            assert read_judge(broker, settings.topics).alerts[ACME].acknowledged_until_ms == NOW_MS + 7_200_000
        late = await asyncio.to_thread(
            said, "alerts", "silence", "kind=entity", "--from", "2001-01-01", "--until", over, code=2
        )
        assert f"it would be over: here it is {utc(NOW_MS)} now" in " ".join(late.replace("│", " ").split())


async def test_a_subscribers_own_address_is_for_receivers_that_send_mail(settings: Settings) -> None:
    async with worker(settings):
        refused = await decided("subscriptions", "set", "ann", "-r", "desk", "--address", "ann@example.org", code=1)
        assert "'desk' sends to the operator's address alone; leave the address out" in refused["detail"]
        assert await asyncio.to_thread(rows, "subscriptions", "list") == []


async def test_people_subscribe_and_leave(settings: Settings) -> None:
    call = "subscriptions", "set", "ann", "--receiver"
    wishes = "--severity", "info", "--match", "kind=entity", "--quiet", "22:00-07:00", "--time-zone", "Europe/Berlin"
    async with worker(settings):
        made = await decided(*call, "desk", *wishes, "--digest", "day", "--watchlist", "my bank")
        assert (made["outcome"], made["version"]) == ("accepted", 1)
        assert made["warnings"] == ["there is no watchlist 'my bank' yet; make it"]
        assert (await decided(*call, "desk"))["version"] == 2, "the same person again"
        assert (await decided(*call, "desk", "--seen", "1", code=1))["outcome"] == "moved"
        assert "there are desk" in (await decided("subscriptions", "set", "ben", "-r", "nowhere", code=1))["detail"]
        [listed] = await asyncio.to_thread(rows, "subscriptions", "list")
        assert (listed["name"], listed["channel"], listed["minimum_severity"]) == ("ann", "desk", "warning")
        assert "warning or worse" in await asyncio.to_thread(said, "subscriptions", "list")
        daily = "--digest", "day", "--time-zone", "Asia/Tokyo", "--language", "xx"
        warned = (await decided("subscriptions", "set", "cat", "-r", "desk", *daily))["warnings"]
        assert warned == ["there are no messages in 'xx', so they come in the profile's language; take one of en"]
        assert "a digest every day at 08:00 Asia/Tokyo" in await asyncio.to_thread(said, "subscriptions", "list")
        assert (await decided("subscriptions", "remove", "cat"))["outcome"] == "accepted"
        assert (await decided("subscriptions", "remove", "ann"))["outcome"] == "accepted"
        assert (await decided("subscriptions", "remove", "ann", code=1))["outcome"] == "unknown"
        assert await asyncio.to_thread(rows, "subscriptions", "list") == []


async def test_watchlists_change_while_workers_run(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "lists.yaml"
    file.write_text(LISTS)
    async with worker(settings):
        assert (await decided("watchlists", "set", str(file), "my bank"))["version"] == 1
        assert (await decided("watchlists", "set", str(file), "my bank"))["version"] == 2
        assert "name one of them" in await asyncio.to_thread(said, "watchlists", "set", str(file), code=1)
        [listed] = await asyncio.to_thread(rows, "watchlists", "list")
        assert (listed["name"], listed["names"], listed["not"]) == ("my bank", ["Harrowgate Bancorp"], ["football"])
        assert await asyncio.to_thread(rows, "watchlists", "items", "my bank") == []
        assert "no watchlist 'my bnk'; did you" in await asyncio.to_thread(
            said, "watchlists", "items", "my bnk", code=1
        )
        assert (await decided("watchlists", "remove", "my bank"))["outcome"] == "accepted"
        assert (await decided("watchlists", "remove", "my bank", code=1))["outcome"] == "unknown"


def test_a_silence_on_a_label_that_no_alert_has_is_warned_of(settings: Settings) -> None:
    shown = said("alerts", "silence", "severty=warning", "--wait", "0", code=1)
    assert "no alert has the label 'severty'; did you mean 'severity'?" in " ".join(shown.split())


def test_a_decision_waits_where_no_worker_runs(settings: Settings) -> None:
    call = "alerts", "silence", "kind=entity", "--wait", "0"
    assert "no worker of `deliver` has answered yet" in said(*call, code=1)

    async def scene() -> None:
        async with worker(settings):
            while not (listed := await asyncio.to_thread(rows, "silences")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            assert listed[0]["matchers"] == ['kind="entity"']

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("alerts", "silence"), "at least one matcher"),
        (("alerts", "silence", "kind"), "after the label's name"),
        (("alerts", "silence", 'a=~"("'), "no pattern of RE2"),
        (("alerts", "silence", "a=b", "--for", "soon"), "no length of time"),
        (("alerts", "silence", "a=b", "--until", "2001-01-01"), "end before it begins"),
        (("alerts", "silence", "a=b", "--from", "2100-01-01", "--until", "2099-01-01"), "end before it begins"),
        (("alerts", "ack", ACME, "--until", "2001-01-01"), "end before it begins"),
        (("subscriptions", "set", "ann", "-r", "desk", "--severity", "loud"), "info, warning, critical"),
        (("subscriptions", "set", "ann", "-r", "desk", "--quiet", "at night"), "22:00-07:00"),
        (("subscriptions", "set", "ann", "-r", "desk", "--quiet", "22:00-7"), "HH:MM from 00:00 to 23:59"),
        (("subscriptions", "set", "ann", "-r", "desk", "--quiet", "7:00-22:00"), "write 07:00"),
        (
            ("subscriptions", "set", "ann", "-r", "desk", "--quiet", "00:00-00:00"),
            "quiet all day, every day; write two",
        ),
        (("subscriptions", "set", "ann", "-r", "desk", "--digest-at", "8:00"), "write 08:00"),
        (("subscriptions", "set", "ann\nbob", "-r", "desk"), "name: write one line"),
        (("subscriptions", "set", "ann", "-r", "desk", "--by", "x\x1b[2J"), "by: write one line"),
        (("alerts", "silence", "a=b", "--for", "9999999d"), "ends_ms: is after the year 9999"),
        (("alerts", "silence", "a=b", "-c", "x" * 100_000), "comment: is too long; write at most 2,000 characters"),
        (("alerts", "silence", "a=b", "-c", "bad \udcff"), "not UTF-8"),
        (("alerts", "silence", "a=b", "--by", "\udcff"), "not UTF-8"),
        (("alerts", "note", "\udcff", "x"), "not UTF-8"),
        (("subscriptions", "set", "ann", "-r", "desk", "--time-zone", "Mars/Olympus"), "Europe/Berlin"),
        (("subscriptions", "set", "ann", "-r", "desk", "--match", "a=b c"), "comma"),
        (("subscriptions", "set", "ann", "-r", "desk", "--digest", "week"), "hour, day"),
    ],
)
def test_a_wrong_call_decides_nothing(settings: Settings, words: tuple[str, ...], problem: str) -> None:
    assert problem in " ".join(said(*words, code=2).replace("│", " ").split())
    with open_broker(settings.broker) as broker:
        keys = [record.key or b"" for record in broker.scan(settings.topics.control)]
    assert not [key for key in keys if key.startswith(b"decision/")]
