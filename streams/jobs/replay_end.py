"""The end of a replay for the judge: no tick comes any more, and messages that wait for one more alert are due."""

from __future__ import annotations

from alerts.judge import Policy
from streams.alert_log import ALERTS_PARTITION, Clock, clock_of, clock_send, seal_of
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["end_of_time", "settle_ms"]


def settle_ms(policy: Policy) -> int:
    """Returns how long the news of a group waits at most for its message."""
    return max(max(route.group_wait_ms, route.group_interval_ms) for route in policy.root.walk())


def end_of_time(broker: Broker, topics: Topics, wait_ms: int) -> bool:
    """Moves the judge's time on by `wait_ms` from the last tick; returns whether that was still to be done.

    It follows from the last tick, so a replay that was killed here and resumed ends at the same time.
    """
    last_ms = ended_ms = 0
    for record in broker.read(topics.alerts, ALERTS_PARTITION):
        if (seal := seal_of(record.headers)) is not None:
            last_ms = max(last_ms, seal.tick_ms)
        elif (clock := clock_of(record.headers)) is not None:
            ended_ms = max(ended_ms, clock.at_ms)
    if not last_ms or ended_ms >= last_ms + wait_ms:
        return False
    broker.append([clock_send(topics.alerts, Clock(at_ms=last_ms + wait_ms))])
    return True
