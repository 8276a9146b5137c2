"""What is to be known about a Kafka cluster besides its address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from streams.errors import SettingsError
from streams.transport.kafka.security import KafkaSecurity
from streams.wall_clock import HOUR_MS

__all__ = ["KafkaOptions", "bootstrap_of", "is_kafka"]

_SCHEMES = ("kafka", "aiokafka")
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_DEFAULT_PORT = 9092


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How moodwire uses a cluster; the defaults are the broker's own where there is a -1 or None.

    `session_seconds`: a worker that is silent for so long loses its partitions. `instance` names this process for
    static membership: a restart within the session moves no partition. `compaction_lag_ms`: rows younger than that
    are kept, so that recovery can tell a paused worker's late row from its successor's (`streams.transport.tables`).
    """

    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    replication: int = -1
    min_in_sync: int | None = None
    session_seconds: float = 10.0
    instance: str | None = None
    compaction_lag_ms: int = 24 * HOUR_MS
    timeout_seconds: float = 30.0


def is_kafka(url: str) -> bool:
    """Whether the broker's URL is Kafka's."""
    return url.partition("://")[0] in _SCHEMES


def bootstrap_of(url: str) -> list[str]:
    """`host:port` of each server of `kafka://a:9092,b:9092`; raises SettingsError for any other URL."""
    scheme, separator, rest = url.partition("://")
    servers = [server for server in rest.rstrip("/").split(",") if server]
    if scheme not in _SCHEMES or not separator or not servers or not all(map(_SERVER.fullmatch, servers)):
        hidden = re.sub(r"//[^/]*@", "//…@", url)
        raise SettingsError(
            f"broker: {hidden!r} is not kafka://host:port[,host:port]; credentials have settings of their own"
        )
    return [server if re.search(r":[0-9]+$", server) else f"{server}:{_DEFAULT_PORT}" for server in servers]
