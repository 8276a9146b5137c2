"""A scenario's world: its topics and indices on the servers, its workers, and the judgement at the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from alerts.delivery import AlertGroup, Planned, Status
from alerts.judge import Policy
from streams.engine.ports import Send
from streams.errors import Retry, TransportError
from streams.jobs.replay_end import end_of_time, settle_ms
from streams.jobs.resend import read_deliveries
from streams.receivers.configured import policy_of
from streams.settings import Settings
from streams.stages.watch_rows import progress_by_partition
from streams.topics import topic_specs
from streams.transport.broker import Broker, open_broker
from streams.wall_clock import wall_clock_ms
from tests.chaos.feed import Feed, make_feed
from tests.chaos.found import announced, found, messages, news_log
from tests.chaos.reference import Facts, Outcomes, reference
from tests.chaos.workers import ROOT, Worker, times_done, wait_until

__all__ = ["Figures", "World", "compare"]

PARTITIONS = 4
SESSION_SECONDS = 6.0
DRAIN_SECONDS = 240.0
_NO_GROUP = ""  # has committed nothing


@dataclass(frozen=True, slots=True)
class Figures:
    """What a scenario did to its records; all but the first, the repeats of work and the seconds must be zero."""

    records: int
    lost: int
    stored_twice: int
    processed_twice: int
    announced_twice: int
    alerts: int
    seconds: float

    def line(self, scenario: str) -> str:
        return (
            f"chaos: {scenario}: {self.records:,} records, {self.lost} lost, {self.stored_twice} stored twice, "
            f"{self.processed_twice:,} processed twice, {self.alerts} alert states, {self.announced_twice} announced "
            f"again under the same id, {self.seconds:.1f} s"
        )


@dataclass
class World:
    """One namespace on the servers. `archive_url` is where workers find Elasticsearch, `direct_url` where tests do."""

    folder: Path
    prefix: str
    broker_url: str
    archive_url: str
    direct_url: str
    count: int
    more: Mapping[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.settings = Settings(
            data_dir=self.folder, namespace="chaos", prefix=f"{self.prefix}.", broker_url=self.broker_url,
            archive_url=self.archive_url, archive_prefix=self.prefix, partitions=PARTITIONS,
            mentions_partitions=PARTITIONS, alerts_file=self._file("nobody"), terminal=False,
            **self._more_settings(),
        )  # fmt: skip
        self.broker: Broker = open_broker(self.settings.broker, self.settings.kafka)
        self.broker.ensure_topics(topic_specs(self.settings))
        now_ms = wall_clock_ms()
        self.until_ms = now_ms - now_ms % 3_600_000

    def _more_settings(self) -> dict[str, Any]:
        return {key.lower(): value for key, value in self.more.items()}

    def feed(self, count: int | None = None, *, seed: int = 10, poison: float = 0.02) -> Feed:
        return make_feed(
            count or self.count, self.settings.topics.news, PARTITIONS, until_ms=self.until_ms, seed=seed, poison=poison
        )

    def publish(self, sends: Sequence[Send]) -> None:
        for start in range(0, len(sends), 1_000):
            self.broker.append(sends[start : start + 1_000])

    @contextmanager
    def publishing(self, sends: Sequence[Send], within_seconds: float = 60) -> Iterator[None]:
        """Publishes so that it would take so long, and what is left at once when the block ends."""
        hurry = threading.Event()
        step = max(int(len(sends) / within_seconds / 4), 1)

        def work() -> None:
            for start in range(0, len(sends), step):
                if hurry.is_set():
                    return self.publish(sends[start:])
                self.broker.append(sends[start : start + step])
                hurry.wait(0.25)
            return None

        with ThreadPoolExecutor(1) as thread:
            working = thread.submit(work)
            try:
                yield
            finally:
                hurry.set()
            working.result()

    def start(self, name: str, root: Path = ROOT, *, live: bool = False, **more: str) -> Worker:
        """A worker that runs the code in `root`; alerts go to a file of its own. `live`: not as in a replay."""
        environment = {
            "DATA_DIR": str(self.folder / name),
            "NAMESPACE": "chaos",
            "PREFIX": f"{self.prefix}.",
            "BROKER_URL": self.broker_url,
            "ARCHIVE_URL": self.archive_url,
            "ARCHIVE_PREFIX": self.prefix,
            "ARCHIVE_REPLICAS": "0",
            "ARCHIVE_SECONDS": "5",
            "PARTITIONS": str(PARTITIONS),
            "MENTIONS_PARTITIONS": str(PARTITIONS),
            "KAFKA_SESSION_SECONDS": str(SESSION_SECONDS),
            "RUN_RECORDS": str(max(self.count // 40, 20)),
            "ALERTS_FILE": str(self._file(name)),
            "TERMINAL": "false",
            **self.more,
            **more,
        }
        settings = {f"MOODWIRE_{key}": value for key, value in environment.items()}
        words = ["--live"] if live else []
        self.workers.append(Worker(name, self.folder, settings, words, root))
        return self.workers[-1]

    def _file(self, name: str) -> Path:
        return self.folder / f"alerts-{name}.ndjson"

    def lag(self, stage: str = "score") -> int:
        """Records that the stage has not committed; more than none while the broker cannot tell."""
        topics = self.settings.topics
        try:
            return self.broker.lag(topics.group(stage), topics.sources[stage])
        except (Retry, TransportError):
            return 1

    def catch_up(self) -> None:
        """Until every stage, in the order of the flow, has done all: for a namespace whose clock is its records'."""
        for stage in self.settings.topics.sources:
            wait_until(lambda stage=stage: self.lag(stage) == 0, f"{stage} drained")  # type: ignore[misc]

    def drain(self, at_most_seconds: float = DRAIN_SECONDS) -> None:
        """Until every stage, in the order of the flow, has committed all, and every message is sent and settled.

        All is what its topic held when its turn came: the owners of a live stream report progress each second for ever.
        """
        for stage in self.settings.topics.sources:
            self._wait(partial(self._caught_up, stage, self._held(stage)), f"{stage} drained", at_most_seconds)
        end_of_time(self.broker, self.settings.topics, settle_ms(self.policy))
        self._wait(partial(self._caught_up, "deliver", self._held("deliver")), "deliver drained", at_most_seconds)
        self._wait(self._all_settled, "all notifications settled", at_most_seconds)

    def _wait(self, condition: Callable[[], bool], what: str, at_most_seconds: float) -> None:
        try:
            wait_until(condition, what, at_most_seconds)
        except AssertionError as error:
            logs = "\n".join(f"--- {worker.name}\n{worker.errors[-3000:]}" for worker in self.workers)
            raise AssertionError(f"{error}\n{logs}") from None

    def _held(self, stage: str) -> dict[int, int]:
        """Per partition, how many records the stage's topic holds; none while the broker cannot tell."""
        try:
            return self.broker.lags(_NO_GROUP, self.settings.topics.sources[stage])
        except (Retry, TransportError):
            return {}

    def _caught_up(self, stage: str, held: Mapping[int, int]) -> bool:
        """Whether the stage has committed what its topic held then; of what came later it may have less."""
        topics = self.settings.topics
        now = self._held(stage)  # first: what comes after it must not pass for what was there before
        try:
            behind = self.broker.lags(topics.group(stage), topics.sources[stage])
        except (Retry, TransportError):
            return False
        later = {partition: now.get(partition, 0) - held.get(partition, now.get(partition, 0)) for partition in behind}
        return all(lag <= max(later[partition], 0) for partition, lag in behind.items())

    def _all_settled(self) -> bool:
        return all(plan.status is not Status.WAITING for plan in self.planned())

    def planned(self) -> list[Planned]:
        """The notifications in the rows of `deliver`; none while the broker cannot tell."""
        try:
            return [known.plan for known in read_deliveries(self.broker, self.settings.topics)]
        except (Retry, TransportError):
            return []

    def reopen(self) -> None:
        """The test's own connections anew."""
        self.broker.close()
        self.broker = open_broker(self.settings.broker, self.settings.kafka)

    def make_news_again(self) -> tuple[str, list[Any]]:
        """Deletes the topic news and makes it again; what stood in it. Publishing goes on with a new producer.

        A worker that asks for the topic in between has a cluster that creates topics make it, with one partition:
        then it is deleted once more.
        """
        earlier = news_log(self.broker, self.settings)
        specs = topic_specs(self.settings)
        for _ in range(10):
            self.broker.delete_topic(self.settings.topics.news)
            try:
                self.broker.ensure_topics(specs)
                break
            except TransportError:
                continue
        self.reopen()
        assert self.broker.topic(self.settings.topics.news).partitions == PARTITIONS
        assert self.broker.topic(self.settings.topics.news).epoch != earlier[0]
        return earlier

    def changelog(self) -> str:
        """The topic that holds the rows of `watch`."""
        [topic] = [name for name in self.broker.names(self.settings.topics.group("watch")) if "changelog" in name]
        return topic

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.broker.close()

    def progress_ms(self) -> int:
        """The farthest that any source partition has come, as the rows of `watch` say."""
        found = progress_by_partition(self.broker.scan(self.changelog()))
        return max((ms for progress in found.values() for ms in progress.values()), default=0)

    def files(self) -> list[Path]:
        """Those that alerts were written to."""
        return [self._file(worker.name) for worker in self.workers]

    def messages(self) -> dict[str, list[AlertGroup]]:
        """By receiver what is to be sent, as one judge decides that never died."""
        return messages(self.settings, self.broker, self.policy)

    @property
    def policy(self) -> Policy:
        return policy_of(self.settings)

    # -- the judgement

    def judge(self, *earlier: tuple[str, list[Any]]) -> Figures:
        """Compares all that is left with the reference; `earlier` incarnations of the topic news come first."""
        seconds = time.monotonic() - self.began
        logs = [*earlier, news_log(self.broker, self.settings)]
        wanted = asyncio.run(reference(self.settings, logs))
        wanted.notifications = {(group.id, group.revision) for group in self.messages()["file"]}
        files = self.files()
        left = found(self.settings, self.direct_url, self.broker, logs, files)
        times = times_done(self.workers)
        figures = Figures(
            records=wanted.records,
            lost=len(wanted.versions.keys() - left.versions.keys())
            + len(wanted.duplicates - left.duplicates)
            + len(wanted.rejects - left.rejects),
            stored_twice=left.stored_twice + len(left.duplicates - wanted.duplicates),
            processed_twice=sum(1 for count in times.values() if count > 1),
            announced_twice=sum(count - 1 for count in announced(set(files)).values()),
            alerts=len(left.alerts),
            seconds=seconds,
        )
        compare(wanted, left)
        return figures


def compare(wanted: Outcomes, left: Outcomes) -> None:
    """Raises AssertionError with the first differences of each kind."""
    assert wanted.alerts, "the feed raises no alert: nothing would be compared"
    assert wanted.hours, "the feed ends no hour: nothing would be compared"
    items = sum(1 for facts in left.versions.values() if facts.is_item)
    problems = [
        *_differences("version", wanted.versions, left.versions),
        *_differences("duplicate", dict.fromkeys(wanted.duplicates), dict.fromkeys(left.duplicates)),
        *_differences("reject", dict.fromkeys(wanted.rejects), dict.fromkeys(left.rejects)),
        *_differences("series", wanted.rows, left.rows),
        *_differences("alert", wanted.alerts, left.alerts),
        *_differences("hour", wanted.hours, left.hours),
        *_differences("notification", dict.fromkeys(wanted.notifications), dict.fromkeys(left.notifications)),
    ]
    if left.stored_twice:
        problems.append(f"{left.stored_twice} documents stored twice")
    if items != len({item_id for item_id, _ in left.versions}):
        problems.append(f"{items} documents are the item of their id, and there are others")
    if len(left.versions) + len(left.duplicates) + len(left.rejects) != left.records:
        problems.append(
            f"{len(left.versions)} versions + {len(left.duplicates)} duplicates + {len(left.rejects)} rejects are not "
            f"the {left.records} records"
        )
    assert not problems, "\n".join(problems)


def _differences(kind: str, wanted: Mapping[Any, Any], left: Mapping[Any, Any]) -> Iterable[str]:
    missing, extra = wanted.keys() - left.keys(), left.keys() - wanted.keys()
    other = [key for key in wanted.keys() & left.keys() if wanted[key] != left[key]]
    if missing:
        some = [getattr(wanted[key], "position", None) or key for key in missing]
        yield f"{len(missing)} of {len(wanted)} of kind {kind} are missing: {sorted(some)[:20]}"
    if extra:
        yield f"{len(extra)} of kind {kind} are there that should not: {sorted(extra)[:5]}"
    if other:
        some = [f"  {key}: {_difference(wanted[key], left[key])}" for key in other[:3]]
        yield "\n".join((f"{len(other)} of {len(wanted)} of kind {kind} differ:", *some))


def _difference(wanted: Any, found: Any) -> str:
    """What of the two is not the same, in a line."""
    if isinstance(wanted, bytes):
        wanted, found = (dict(enumerate(msgspec.msgpack.decode(row, strict=False))) for row in (wanted, found))
    elif isinstance(wanted, Facts):
        wanted, found = asdict(wanted), asdict(found)
    if not isinstance(wanted, dict):
        return f"wanted {wanted}, found {found}"
    names = [name for name in wanted if wanted[name] != found.get(name)]
    return "; ".join(f"{name}: wanted {wanted[name]}, found {found.get(name)}"[:300] for name in names)
