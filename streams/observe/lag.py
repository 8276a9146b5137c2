"""Lag, asked of the broker when Prometheus asks us: nothing is polled that nobody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.errors import MoodwireError
from streams.transport.sqlite.store import Store

__all__ = ["GroupLag", "LagCollector", "store_lag"]

GroupLag = tuple[str, str, int, int]
"""Group, topic, partition, records that the group has not committed."""


class LagCollector(Collector):
    """`moodwire_consumer_lag_records`; a broker that does not answer leaves the samples out, which is the truth."""

    def __init__(self, lag: Callable[[], Iterable[GroupLag]], registry: CollectorRegistry) -> None:
        self._lag = lag
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        try:
            for group, topic, partition, records in self._lag():
                family.add_metric([group, topic, str(partition)], records)
        except MoodwireError:
            return [self._family()]
        return [family]

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        text = "Records that the group has not committed."
        return GaugeMetricFamily("moodwire_consumer_lag_records", text, labels=["group", "topic", "partition"])


def store_lag(store: Store, work: Iterable[tuple[str, str]]) -> list[GroupLag]:
    """Lag of (group, topic) pairs on the embedded broker; raises `TransportError`."""
    found = []
    topics = store.topics()
    for group, topic in work:
        done = store.committed(group)
        for partition in range(topics[topic].partitions):
            behind = store.end_offset(topic, partition) - done.get((topic, partition), 0)
            found.append((group, topic, partition, max(0, behind)))
    return found
