"""Faust's transport for `kafka://host:port`: its aiokafka driver, with our consumer and producer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver

from streams.transport.broker import Late
from streams.transport.kafka.client import KafkaBroker
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.consumer import Consumer
from streams.transport.kafka.header_names import read_any_header_name
from streams.transport.kafka.ordered import never_create_topics
from streams.transport.kafka.producer import Producer

__all__ = ["Transport", "register"]


_TIMEOUT_SECONDS = 5.0  # what a stage asks it asks again, and it must be able to stop


class Transport(driver.Transport):
    """Knows the cluster; workers of a group share its partitions, so nothing is claimed."""

    Consumer: ClassVar[type[Any]] = Consumer
    Producer: ClassVar[type[Any]] = Producer

    #: Rows say up to which record they are applied, for a paused worker may write late.
    rows_tell_position = True

    @cached_property
    def cluster(self) -> Cluster:
        servers = driver.server_list(self.url, self.default_port)
        return Cluster(servers, replace(self.app.kafka, timeout_seconds=_TIMEOUT_SECONDS))

    def claim(self) -> None:
        """Nothing to claim: the group's coordinator gives out partitions."""

    def unclaim(self) -> None:
        """Nothing was claimed."""

    def release(self) -> None:
        """The app has stopped: closes what it asked the cluster with."""
        self.cluster.close()

    def tidy(self, now_ms: int) -> None:
        """Brokers keep their topics themselves."""

    def late(self, now_ms: int, groups: Sequence[tuple[str, str]]) -> list[Late]:
        """Which of the (group, topic) retention has nearly reached."""
        with KafkaBroker(self.app.broker_url, self.app.kafka) as broker:
            return broker.late(now_ms, groups)


def register() -> None:
    """Makes Faust find this transport under Kafka's URL schemes."""
    never_create_topics()
    read_any_header_name()
    for scheme in ("kafka", "aiokafka"):
        TRANSPORTS.aliases[scheme] = f"{__name__}:Transport"
