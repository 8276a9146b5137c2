"""Twenty people of different wishes and three desks on real news, while everything that can die does.

    news ─► workers (killed) ─► broker (killed) ─► archive (away) ─► mail, webhooks (one away for an hour)
               ▲
               └── people subscribe, acknowledge and silence between the parts of the feed

Each receiver is sent what a plain function says that looks at the archived alerts and decisions.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from elasticsearch import Elasticsearch

from alerts import AlertEvent
from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.delivery import AlertGroup
from alerts.judge import Clock, Decision, Entry, Seal, decision_from_json
from alerts.judge.decisions import Acknowledge, Silence, Subscribe
from streams.alert_log import ALERTS_PARTITION, clock_of, mentions_partition, seal_of
from streams.alert_rules import alert_config
from streams.decisions import decide
from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.feeds.replay import Replay, ReplayOptions
from streams.sample import write_sample
from streams.text.profile import load_profile
from streams.transport.loop_thread import LoopThread
from tests.alerts.judge.log_oracle import said, start_of, times_in
from tests.alerts.judge.wishes import WISHES
from tests.chaos.conftest import MakeWorld
from tests.chaos.found import alert_states, documents
from tests.chaos.gate import Gate
from tests.chaos.workers import Worker, wait_until
from tests.chaos.world import PARTITIONS, World
from tests.integration.kafka_server import KafkaServer
from tests.receivers.smtp_server import MailServer, running_mail_server
from tests.stages.in_process import Collected
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
    loop, stack = LoopThread("mail server"), AsyncExitStack()
    try:
        yield loop.call(lambda: stack.enter_async_context(running_mail_server()))
    finally:
        loop.call(stack.aclose)
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
        until_ms = times_of(self.world)[-1][1] + 6 * HOUR_MS
        firing = [event for event in newest.values() if event.state in {"firing", "escalated"}]
        for event in [event for event in firing if event.id not in self.seen][:6]:
            self.seen.add(event.id)
            if len(self.seen) % 2:
                self.decide(Acknowledge, target=event.id, until_ms=until_ms)
            else:
                self.decide(Silence, matchers=(f'series="{event.series}"',), ends_ms=until_ms, until_worse=True)


@contextmanager
def refreshed(world: World) -> Iterator[tuple[Elasticsearch, str]]:
    """The archive as it is now, past the gate, and the prefix of its indices."""
    prefix = world.settings.elastic.prefix
    with Elasticsearch(world.direct_url, request_timeout=60) as client:
        client.indices.refresh(index=f"{prefix}*")
        yield client, prefix


def archived(world: World) -> list[AlertEvent]:
    """The states of all alerts, in order."""
    with refreshed(world) as (client, prefix):
        events = [msgspec.convert(body, AlertEvent) for body in alert_states(client, prefix)]
    return sorted(events, key=lambda event: (event.updated_ms, event.id, event.revision))


def decided(world: World) -> list[tuple[int, Decision]]:
    """Place and decision of all that was accepted, in order."""
    with refreshed(world) as (client, prefix):
        own = [hit["_source"]["moodwire"]["decision"] for hit in documents(client, f"{prefix}decisions")]
    accepted = {one["place"]: one["body"].encode() for one in own if one["outcome"] == "accepted"}
    return [(place, decision_from_json(accepted[place])) for place in sorted(accepted)]


def log_of(world: World) -> list[Record]:
    """The judge's log."""
    return list(world.broker.read(world.settings.topics.alerts, ALERTS_PARTITION))


def times_of(world: World) -> list[tuple[int, int]]:
    """The offset of every record since the first tick, and the judge's time after it."""
    return times_in((record.offset, entry_of(record)) for record in log_of(world))


def entry_of(record: Record) -> Entry | None:
    """What the record says of the time, if it does."""
    if (seal := seal_of(record.headers)) is not None:
        return Seal(seal.partition, seal.partitions, seal.tick_ms)
    clock = clock_of(record.headers)
    return Clock(clock.at_ms, clock.without) if clock is not None else None


def check_log(log: Iterable[Record], events: Iterable[AlertEvent]) -> None:
    """The archive has the events of the log, each of which comes before the seal of its tick."""
    logged: dict[tuple[str, int], AlertEvent] = {}
    sealed: dict[int, int] = {}
    for record in log:
        partition = mentions_partition(record.headers)
        if (seal := seal_of(record.headers)) is not None:
            sealed[seal.partition] = max(seal.tick_ms, sealed.get(seal.partition, 0))
        elif partition is not None and record.value is not None:
            event = without_items(AlertEvent.from_json(record.value))
            known = logged.setdefault((event.id, event.revision), event)
            assert known == event, "an event comes again as another one"
            assert known is not event or event.updated_ms > sealed.get(partition, 0), "an event comes after its seal"
    assert logged == {(event.id, event.revision): without_items(event) for event in events}


def without_items(event: AlertEvent) -> AlertEvent:
    """An event that comes again may have other headlines, for the archive changes."""
    return msgspec.structs.replace(event, top_items=())


def plain(receiver: str, group: AlertGroup, start: int) -> tuple[float, str, str, list[str]]:
    names = sorted({event.id for event in group.alerts})
    return (group.at_ms - start) / MINUTE_MS, receiver, group.change.value, names


def parts_of(world: World, feed: Path) -> list[list[Send]]:
    """The feed as a replay publishes it, in parts."""
    news = Collected(PARTITIONS)
    config, topics = alert_config(world.settings, load_profile("finance")), world.settings.topics
    options = ReplayOptions(lateness_ms=config.lateness_ms, hop_ms=config.hop_ms)
    Replay(feed, news_topic=topics.news, rejects_topic=topics.rejects, options=options).run(news)
    step = len(news.sends) // PARTS + 1
    return [news.sends[start : start + step] for start in range(0, len(news.sends), step)]


@dataclass(frozen=True)
class Weeks:
    """Those of a file of real news from a day on, until another one, and a watchlist for them."""

    file: str
    first: str
    end: str
    watchlists: str


FEEDS = {
    "sample": None,
    "bank run": Weeks("rss_svb_2023-02_2023-04.ndjson.gz", "2023-03-01", "2023-03-20", SVB),
    "bankruptcy": Weeks("reuters_lehman_2008-08_2008-10.ndjson.gz", "2008-09-08", "2008-09-20", LEHMAN),
}


@pytest.fixture(params=list(FEEDS.values()), ids=list(FEEDS))
def feed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of news, with `watchlists.yaml` beside it."""
    weeks: Weeks | None = request.param
    file = tmp_path / "news.ndjson"
    (tmp_path / "watchlists.yaml").write_text(SVB if weeks is None else weeks.watchlists)
    if weeks is None:
        write_sample(file)
        return file
    with gzip.open(request.getfixturevalue("shared_data") / "streams" / weeks.file, "rt") as lines:
        file.write_text("".join(one for one in lines if weeks.first <= json.loads(one)["published"] < weeks.end))
    return file


@dataclass
class Scene:
    """Everything that a scenario moves."""

    world: World
    kafka: KafkaServer
    gate: Gate
    desks: Desks
    monkeypatch: pytest.MonkeyPatch
    people: People = field(init=False)
    workers: list[Worker] = field(default_factory=list)
    kills: int = 0

    def __post_init__(self) -> None:
        self.people = People(self.world)

    def live_through(self, parts: list[list[Send]]) -> None:
        """All that happens."""
        self.workers = [self.world.start("first"), self.world.start("second")]
        self.world.publish(parts[0])
        self.world.catch_up()
        self.people.subscribe()
        for number, part in enumerate(parts[1:3]):
            self._kill_a_worker(number, part)
        self._kill_the_broker(parts[3])
        self._be_away_for_an_hour(*parts[4:])
        self.world.drain()

    def _kill_a_worker(self, number: int, part: list[Send]) -> None:
        """In the middle of its work."""
        with self.world.publishing(part, within_seconds=30):
            self.workers[number].wait_for_runs(1)
            self._kill(self.workers[number])
            self.workers[number] = self.world.start(f"next{number}")
            self.workers[number].wait_for_runs(1)
        self.world.catch_up()
        self.people.look()

    def _kill(self, worker: Worker) -> None:
        worker.kill()
        self.kills += 1

    def _kill_the_broker(self, part: list[Send]) -> None:
        half = len(part) // 2
        self.world.publish(part[:half])
        self.workers[0].wait_for_runs(1)
        self.world.broker.close()
        self.kafka.kill()
        time.sleep(5)  # how long it is away is the scenario
        self.kafka.start()
        self.world.reopen()
        self.world.publish(part[half:])
        self.world.catch_up()
        self.people.look()

    def _be_away_for_an_hour(self, part: list[Send], last: list[Send]) -> None:
        """Two receivers are, and the archive for a while, in which both workers are killed."""
        away = [self.desks.hooks[name] for name in ("pager", "desk")]
        since = time.time()
        for hook in away:
            hook.status = 503
        self.gate.status = 503
        self.world.publish(part)
        self._wait_for_refusals()
        for worker in self.workers:
            self._kill(worker)
        self.monkeypatch.setenv("CHAOS_HASTE", f"{SPEED} {since}")
        self.workers = [self.world.start("last0"), self.world.start("last1")]
        self._wait_for_refusals()
        self.gate.status = None
        self.world.publish(last)
        self.world.catch_up()
        wait_until(lambda: time.time() - since > 3600 / SPEED + 1, "an hour is over")
        for hook in away:
            hook.status = 204

    def _wait_for_refusals(self) -> None:
        before = self.gate.refused
        wait_until(lambda: self.gate.refused > before + 10, "the archive refuses")


@pytest.fixture
def scene(
    feed: Path,
    mortal_kafka: KafkaServer,
    make_world: MakeWorld,
    gate: Gate,
    desks: Desks,
    elastic_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    monkeypatch.setenv("CHAOS_CLASSIFIER", "keyword")
    routes = feed.with_name("routes.yaml")
    urls = {name: hook.url for name, hook in desks.hooks.items()}
    routes.write_text(ROUTES.format(port=desks.mail.port, **urls))
    files = {"ROUTES": str(routes), "WATCHLISTS": str(feed.with_name("watchlists.yaml"))}
    world = make_world(f"kafka://{mortal_kafka.bootstrap}", elastic_url, gate.url, **files)
    return Scene(world, mortal_kafka, gate, desks, monkeypatch)


@pytest.mark.chaos_long
def test_each_is_sent_what_a_plain_function_says(scene: Scene, feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, parts = scene.world, parts_of(scene.world, feed)
    assert len(parts) == PARTS
    scene.live_through(parts)

    found, times, events = world.messages(), times_of(world), archived(world)
    check_log(log_of(world), events)
    start, hop_ms = start_of(times), alert_config(world.settings, load_profile("finance")).hop_ms
    by_log = sorted(plain(name, group, start) for name, groups in found.items() for group in groups)
    wanted = said(world.policy, events, decided(world), times, hop_ms)
    assert by_log == sorted((minute, name, change, sorted(names)) for name, minute, change, names in wanted)
    taken = scene.desks.taken()
    twice = 0
    for name in {*found, *taken}:
        counts = Counter(taken.get(name, []))
        assert set(counts) == {f"{group.id}.{group.revision}" for group in found.get(name, [])}, name
        twice += sum(counts.values()) - len(counts)
    assert twice <= scene.kills * len(found)  # of each receiver one attempt may have been in flight
    assert len(found) > len(WISHES) // 2
    with capsys.disabled():
        print(
            f"\nchaos: {len(WISHES)} people and {len(scene.desks.hooks)} desks: {sum(map(len, parts)):,} records, "
            f"{scene.people.made} decisions, {scene.kills} kills, {len(by_log):,} messages to {len(found)} receivers, "
            f"of which {twice} came twice",
            file=sys.stderr,  # as one of two processes has no output
        )
