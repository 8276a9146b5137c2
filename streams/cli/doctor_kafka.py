"""What `moodwire doctor` asks a Kafka cluster besides how many records wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.kafka import checks
from streams.transport.kafka.client import KafkaBroker
from streams.wall_clock import wall_clock_ms

__all__ = ["KAFKA_CHECKS"]

_TIMEOUT_SECONDS = 4.0  # a cluster that does not answer is a finding


def _asking(ask: Callable[[Settings, KafkaBroker], str]) -> Callable[[Settings], str]:
    def check(settings: Settings) -> str:
        with KafkaBroker(settings.broker, replace(settings.kafka, timeout_seconds=_TIMEOUT_SECONDS)) as broker:
            return ask(settings, broker)

    return check


def _topics(settings: Settings, broker: KafkaBroker) -> str:
    changelogs = [name for name in broker.names(settings.topics.name("")) if name.endswith("-changelog")]
    return checks.check_topics(broker.cluster, topic_specs(settings), changelogs)


def _retention(settings: Settings, broker: KafkaBroker) -> str:
    groups = [(settings.topics.group(stage), topic) for stage, topic in settings.topics.sources.items()]
    return checks.check_retention(broker, groups, wall_clock_ms())


KAFKA_CHECKS: dict[str, Callable[[Settings], str]] = {
    "kafka": _asking(lambda _, broker: checks.check_cluster(broker.cluster)),
    "kafka topics": _asking(_topics),
    "kafka permissions": _asking(
        lambda settings, broker: checks.check_permissions(broker.cluster, topic_specs(settings))
    ),
    "kafka retention": _asking(_retention),
    "kafka clock": _asking(lambda _, broker: checks.check_clock(broker.cluster)),
}
