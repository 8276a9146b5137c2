"""Twenty people of different wishes and three desks on real news, while everything that can die does.

    news ─► workers (killed) ─► broker (killed) ─► archive (away) ─► mail, webhooks (one away for an hour)
               ▲
               └── people subscribe, acknowledge and silence between the parts of the feed

Each receiver is sent what a plain function says that looks at the archived alerts and decisions.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts import AlertEvent
from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.delivery import AlertGroup
from alerts.judge import Decision, decision_from_json
from alerts.judge.decisions import Acknowledge, Silence, Subscribe
from streams.alert_log import ALERTS_PARTITION, clock_of, seal_of
from streams.alert_rules import alert_config
from streams.decisions import decide
from streams.engine.ports import Send
from streams.feeds.replay import Replay, ReplayOptions
from streams.sample import write_sample
from streams.text.profile import load_profile
from tests.alerts.judge.judge_oracle import Oracle, Sent
from tests.alerts.judge.wishes import WISHES
from tests.chaos.conftest import MakeWorld
from tests.chaos.found import alert_states, documents
from tests.chaos.gate import Gate
from tests.chaos.workers import wait_until
from tests.chaos.world import PARTITIONS, World
from tests.integration.kafka_server import KafkaServer
from tests.receivers.smtp_server import MailServer, running_mail_server
from tests.webhook_receiver import WebhookReceiver, receiving

SPEED = 240
"""An hour of the notifications' clock takes 15 s."""
PARTS = 6
ROUTES = """\
receivers:
  - {{name: desk, webhook: {{url: "{desk}"}}}}
  - {{name: pager, webhook: {{url: "{pager}"}}}}
  - {{name: boss, webhook: {{url: "{boss}"}}}}
  - name: mail
    email: {{to: [nobody@example.org], from: moodwire@example.org, host: 127.0.0.1, port: {port}, security: none}}
route:
  receiver: desk
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
      escalate: [{{after: 30m, receiver: boss}}]
      repeat_interval: 4h
      continue: true
    - {{receiver: desk, group_by: [signal], group_wait: 2m}}
inhibit_rules:
  - {{source_matchers: ['kind="all"'], target_matchers: ['kind="source"'], equal: [signal]}}
"""
SVB = "watchlists: [{name: svb, names: [Silicon Valley Bank, SVB], tickers: [SIVB]}]"
LEHMAN = "watchlists: [{name: lehman, names: [Lehman Brothers], tickers: [LEH]}]"


@dataclass
class Desks:
    """Whoever is sent something."""

    hooks: dict[str, WebhookReceiver]
    mail: MailServer

    def taken(self) -> dict[str, list[str]]:
        """By receiver the ids of what it accepted, in order."""
        found = {name: hook.taken for name, hook in self.hooks.items()}
        for envelope, mail in zip(self.mail.envelopes, self.mail.mails, strict=True):
            for address in envelope.rcpt_tos:
                name = f"mail/{address.partition('@')[0]}"
                notification = str(mail["Message-ID"]).strip("<>").rpartition("@")[0].removesuffix(".mail")
                found.setdefault(name, []).append(notification)
        return found


@pytest.fixture
def desks() -> Iterator[Desks]:
    with receiving() as desk, receiving() as pager, receiving() as boss, mailing() as mail:
        yield Desks({"desk": desk, "pager": pager, "boss": boss}, mail)


@contextmanager
def mailing() -> Iterator[MailServer]:
    """The mail server in a thread of its own."""
    there, ended = threading.Event(), asyncio.Event()
    found: list[MailServer] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with running_mail_server() as server:
            found.append(server)
            there.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="mail server")
    thread.start()
    assert there.wait(30)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@dataclass
class People:
    """They decide about what the archive shows them, and hear what became of it."""

    world: World
    made: int = 0
    seen: set[str] = field(default_factory=set)

    def decide(self, kind: type[Decision], **more: Any) -> None:
        self.made += 1
        decision = kind(id=f"d{self.made}", by="ann", at_ms=int(time.time() * 1000), **more)
        answer = decide(self.world.broker, self.world.settings.topics, decision, wait_seconds=120)
        assert answer is not None, "nobody answers"
        assert answer.accepted, answer

    def subscribe(self) -> None:
        for number, wish in enumerate(WISHES):
            self.decide(Subscribe, name=f"p{number}", channel="mail", address=f"p{number}@example.org", **wish)

    def look(self) -> None:
        """Of what fires and is new to them, every second is acknowledged and the others are silenced."""
        newest: dict[str, AlertEvent] = {}
        for event in archived(self.world):
            newest[event.id] = event
        until_ms = list(times_of(self.world))[-1][1] + 6 * HOUR_MS
        firing = [event for event in newest.values() if event.state in {"firing", "escalated"}]
        for event in [event for event in firing if event.id not in self.seen][:6]:
            self.seen.add(event.id)
            if len(self.seen) % 2:
                self.decide(Acknowledge, target=event.id, until_ms=until_ms)
            else:
                self.decide(Silence, matchers=(f'series="{event.series}"',), ends_ms=until_ms, until_worse=True)


def archived(world: World) -> list[AlertEvent]:
    """The states of all alerts, in order."""
    with Elasticsearch(world.direct_url, request_timeout=60) as client:
        client.indices.refresh(index=f"{world.settings.elastic.prefix}*")
        found = list(alert_states(client, world.settings.elastic.prefix))
    events = [AlertEvent.from_json(json.dumps(body).encode()) for body in found]
    return sorted(events, key=lambda event: (event.updated_ms, event.id, event.revision))


def decided(world: World) -> list[tuple[int, Decision]]:
    """Place and decision of all that was accepted, in order."""
    with Elasticsearch(world.direct_url, request_timeout=60) as client:
        prefix = world.settings.elastic.prefix
        client.indices.refresh(index=f"{prefix}*")
        own = [hit["_source"]["moodwire"]["decision"] for hit in documents(client, f"{prefix}decisions")]
    accepted = [one for one in own if one["outcome"] == "accepted"]
    return sorted(
        ((one["place"], decision_from_json(one["body"].encode())) for one in accepted), key=lambda one: one[0]
    )


def times_of(world: World) -> Iterator[tuple[int, int]]:
    """Offset and time of all that moves the judge's time on."""
    sealed: dict[int, int] = {}
    now_ms = 0
    for record in world.broker.read(world.settings.topics.alerts, ALERTS_PARTITION):
        if (seal := seal_of(record.headers)) is not None:
            sealed[seal.partition] = max(seal.tick_ms, sealed.get(seal.partition, 0))
            if len(sealed) == seal.partitions:
                now_ms = max(now_ms, min(sealed.values()))
        elif (clock := clock_of(record.headers)) is not None:
            now_ms = max(now_ms, clock.at_ms)
        if now_ms:
            yield record.offset, now_ms


def wanted(world: World) -> list[Sent]:
    """What the plain function says."""
    events, decisions, moves = archived(world), decided(world), list(times_of(world))
    hop_ms = alert_config(world.settings, load_profile("finance")).hop_ms
    start = start_of(moves)
    at_tick: dict[int, list[AlertEvent]] = {}
    for event in events:
        at_tick.setdefault(event.updated_ms, []).append(event)
    by_time: dict[int, list[Decision]] = {}
    for place, decision in decisions:
        now_ms = max(now_ms for offset, now_ms in moves if offset < place)
        by_time.setdefault(now_ms, []).append(decision)
    oracle = Oracle(world.policy, start, hop_ms)
    for at_ms in range(start, moves[-1][1] + 1, hop_ms):
        oracle.minute(at_tick.pop(at_ms, []), by_time.pop(at_ms, []), at_ms)
    assert not at_tick
    assert not by_time
    return oracle.sent


def start_of(moves: Sequence[tuple[int, int]]) -> int:
    """The minute of the first tick."""
    return moves[0][1] // MINUTE_MS * MINUTE_MS


def plain(receiver: str, group: AlertGroup, start: int) -> tuple[float, str, str, list[str]]:
    names = sorted({event.id for event in group.alerts})
    return (group.at_ms - start) / MINUTE_MS, receiver, group.change.value, names


def parts_of(world: World, feed: Path) -> list[list[Send]]:
    """The feed as a replay publishes it, in parts."""
    sends: list[Send] = []

    class Collecting:
        def publish(self, more: Sequence[Send], progress: Mapping[str, str] | None = None) -> None:
            sends.extend(more)

        def progress(self, key: str) -> str | None:
            return None

        def partitions(self, topic: str) -> int:
            return PARTITIONS

        def close(self) -> None:
            """Nothing is held."""

    config, topics = alert_config(world.settings, load_profile("finance")), world.settings.topics
    options = ReplayOptions(lateness_ms=config.lateness_ms, hop_ms=config.hop_ms)
    Replay(feed, news_topic=topics.news, rejects_topic=topics.rejects, options=options).run(Collecting())
    step = len(sends) // PARTS + 1
    return [sends[start : start + step] for start in range(0, len(sends), step)]


def sample(folder: Path, _shared: Callable[[], Path]) -> tuple[Path, str]:
    write_sample(folder / "sample.ndjson")
    return folder / "sample.ndjson", SVB


def bank_run(folder: Path, shared: Callable[[], Path]) -> tuple[Path, str]:
    feed = cut(shared() / "streams" / "rss_svb_2023-02_2023-04.ndjson.gz", folder, "2023-03-01", "2023-03-20")
    return feed, SVB


def bankruptcy(folder: Path, shared: Callable[[], Path]) -> tuple[Path, str]:
    feed = cut(shared() / "streams" / "reuters_lehman_2008-08_2008-10.ndjson.gz", folder, "2008-09-08", "2008-09-20")
    return feed, LEHMAN


def cut(file: Path, folder: Path, first: str, end: str) -> Path:
    with gzip.open(file, "rt") as lines:
        kept = [line for line in lines if first <= json.loads(line)["published"] < end]
    (folder / "news.ndjson").write_text("".join(kept))
    return folder / "news.ndjson"


@pytest.mark.parametrize(
    "feed_of",
    [
        sample,
        pytest.param(bank_run, marks=pytest.mark.chaos_long),
        pytest.param(bankruptcy, marks=pytest.mark.chaos_long),
    ],
)
def test_each_is_sent_what_a_plain_function_says(
    feed_of: Callable[[Path, Callable[[], Path]], tuple[Path, str]],
    mortal_kafka: KafkaServer,
    make_world: MakeWorld,
    gate: Gate,
    desks: Desks,
    elastic_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CHAOS_CLASSIFIER", "keyword")
    feed, watchlists = feed_of(tmp_path, lambda: request.getfixturevalue("shared_data"))
    files = {"ROUTES": tmp_path / "routes.yaml", "WATCHLISTS": tmp_path / "watchlists.yaml"}
    files["WATCHLISTS"].write_text(watchlists)
    urls = {name: hook.url for name, hook in desks.hooks.items()}
    files["ROUTES"].write_text(ROUTES.format(port=desks.mail.port, **urls))
    more = {name: str(path) for name, path in files.items()}
    world = make_world(f"kafka://{mortal_kafka.bootstrap}", elastic_url, gate.url, **more)
    people, parts = People(world), parts_of(world, feed)
    assert len(parts) == PARTS
    records, kills = sum(map(len, parts)), _live_through(world, parts, people, desks, mortal_kafka, gate, monkeypatch)

    found = world.messages()
    start = start_of(list(times_of(world)))
    by_log = sorted(plain(name, group, start) for name, groups in found.items() for group in groups)
    by_oracle = sorted((minute, name, change, sorted(names)) for name, minute, change, names in wanted(world))
    assert by_log == by_oracle
    taken = desks.taken()
    twice = 0
    for name in {*found, *taken}:
        times = Counter(taken.get(name, []))
        assert set(times) == {f"{group.id}.{group.revision}" for group in found.get(name, [])}, name
        twice += sum(times.values()) - len(times)
    assert twice <= kills * len(found)  # of each receiver one attempt may have been in flight
    assert len(found) > len(WISHES) // 2
    with capsys.disabled():
        print(
            f"\nchaos: {len(WISHES)} people and {len(desks.hooks)} desks on {feed_of.__name__}: {records:,} records, "
            f"{people.made} decisions, {kills} kills, {len(by_log):,} messages to {len(found)} receivers, of which "
            f"{twice} came twice"
        )


def _live_through(
    world: World,
    parts: list[list[Send]],
    people: People,
    desks: Desks,
    kafka: KafkaServer,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """All that happens; how many workers were killed."""
    workers = [world.start("first"), world.start("second")]
    world.publish(parts[0])
    _catch_up(world)
    people.subscribe()

    for number, worker in enumerate(list(workers)):  # each is killed in the middle of its work
        with world.publishing(parts[1 + number], within_seconds=30):
            _works_again(worker)
            worker.kill()
            workers[number] = world.start(f"next{number}")
            _works_again(workers[number])
        _catch_up(world)
        people.look()

    world.publish(parts[3][: len(parts[3]) // 2])  # the broker is killed
    _works_again(workers[0])
    world.broker.close()
    kafka.kill()
    time.sleep(5)  # how long it is away is the scenario
    kafka.start()
    world.reopen()
    world.publish(parts[3][len(parts[3]) // 2 :])
    _catch_up(world)
    people.look()

    desks.hooks["pager"].status = desks.hooks["desk"].status = 503  # two are away for an hour
    since = time.time()
    gate.status = 503  # and the archive for a while, in which both workers are killed
    world.publish(parts[4])
    refused = gate.refused
    wait_until(lambda: gate.refused > refused + 10, "the archive refuses")
    for worker in workers:
        worker.kill()
    monkeypatch.setenv("CHAOS_HASTE", f"{SPEED} {since}")
    workers = [world.start("last0"), world.start("last1")]
    refused = gate.refused
    wait_until(lambda: gate.refused > refused + 10, "the archive refuses")
    gate.status = None
    world.publish(parts[5])
    _catch_up(world)
    wait_until(lambda: time.time() - since > 3600 / SPEED + 1, "an hour is over")
    desks.hooks["pager"].status = desks.hooks["desk"].status = 204
    world.drain()
    return 4


def _works_again(worker: Any) -> None:
    worker.wait_for_runs(1)


def _catch_up(world: World) -> None:
    """Until every stage has done all that was published."""
    for stage in world.settings.topics.sources:
        wait_until(lambda stage=stage: world.lag(stage) == 0, f"{stage} drained")  # type: ignore[misc]
