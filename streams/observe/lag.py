"""Lag and retention, asked of the broker by the monitor; Prometheus gets its last answer, and so waits for nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.errors import TransportError
from streams.transport.broker import Broker, Late

__all__ = ["BrokerWatch", "GroupLag", "LagCollector"]

_QUEUE_SECONDS = 2.0

GroupLag = tuple[str, str, int, int]
"""Group, topic, partition, records that the group has not committed."""


class BrokerWatch:
    """What groups have left to read. For threads; one question at a time, so a broker that is away holds up one.

    `work` are the (group, topic) pairs of this process, whose lag is asked; `all_work` those of every stage: one
    that was stopped cannot say itself that retention comes close.
    """

    def __init__(
        self,
        broker: Broker,
        work: Iterable[tuple[str, str]],
        all_work: Iterable[tuple[str, str]],
        clock: Callable[[], int],
    ) -> None:
        self._broker = broker
        self._work = tuple(work)
        self._all_work = tuple(all_work)
        self._clock = clock
        self._lock = threading.Lock()

    def lag(self) -> Sequence[GroupLag]:
        """Raises `MoodwireError` when the broker does not answer, or refuses what this process writes."""
        with self._alone():
            self._broker.check_writes()
            return [
                (group, topic, partition, records)
                for group, topic in self._work
                for partition, records in self._broker.lags(group, topic).items()
            ]

    def late(self) -> Sequence[Late]:
        """Where retention has nearly reached, or passed, what was not read. Raises `MoodwireError`."""
        with self._alone():
            return self._broker.late(self._clock(), self._all_work)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=_QUEUE_SECONDS):
            raise TransportError("the broker has not answered the question before yet")
        try:
            yield
        finally:
            self._lock.release()


class LagCollector(Collector):
    """`moodwire_consumer_lag_records` from `last`, the last answer: empty when the broker gave none."""

    def __init__(self, last: Callable[[], Iterable[GroupLag]], registry: CollectorRegistry) -> None:
        self._last = last
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for group, topic, partition, records in self._last():
            family.add_metric([group, topic, str(partition)], records)
        return [family]

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        text = "Records that the group has not committed."
        return GaugeMetricFamily("moodwire_consumer_lag_records", text, labels=["group", "topic", "partition"])
