"""What the tests of `streams.observe` share: a clock to set, a stage that does as told, a channel that listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from alerts.delivery import Delivered, Delivery, Notice, Notification
from streams.engine.runs import Record, Run
from streams.observe.metrics import Metrics
from streams.observe.troubles import Troubles

NOW_MS = 1_750_000_000_000


@dataclass
class Clock:
    """A wall clock in ms that moves when told."""

    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms

    def pass_seconds(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


class ToldStage:
    """Raises what it was told to raise, in order, then succeeds."""

    def __init__(self, failures: Iterable[BaseException] = ()) -> None:
        self.failures = list(failures)
        self.runs: list[Run] = []
        self.idled: list[int] = []
        self.forgotten: list[int] = []

    async def handle(self, run: Run) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.runs.append(run)

    async def idle(self, partition: int, now_ms: int) -> None:
        self.idled.append(partition)

    def forget(self, partition: int) -> None:
        self.forgotten.append(partition)


@dataclass
class State:
    """Where a stage stands, as told."""

    up: bool = True
    crash: str = ""


@dataclass
class Listener:
    """A channel that keeps what it was sent and answers as told, then `Delivered`."""

    answers: list[Delivery] = field(default_factory=list)
    heard: list[Notification] = field(default_factory=list)
    closed: bool = False

    @property
    def name(self) -> str:
        return "listener"

    @property
    def endpoint(self) -> str:
        return ""

    @property
    def notices(self) -> list[Notice]:
        return [note.event for note in self.heard if isinstance(note.event, Notice)]

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        self.heard.append(notification)
        return self.answers.pop(0) if self.answers else Delivered()

    async def aclose(self) -> None:
        self.closed = True


def run_of(first: int, count: int, partition: int = 0, headers: tuple[tuple[str, bytes], ...] = ()) -> Run:
    records = [Record(first + n, None, b"{}", NOW_MS, headers) for n in range(count)]
    return Run("news", partition, 2, "e", records, first + count)


def metrics_of(clock: Callable[[], int]) -> Metrics:
    return Metrics(CollectorRegistry(), clock)


def troubles_of(metrics: Metrics, clock: Callable[[], int], grace_ms: int = 60_000) -> Troubles:
    return Troubles(metrics, "host:1", grace_ms=grace_ms, clock=clock)


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The present value of one series; None when there is none."""
    return metrics.registry.get_sample_value(f"moodwire_{name}", labels)
