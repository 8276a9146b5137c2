"""How topics are created, and what an existing one must take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.errors import TransportError
from streams.limits import ROW_BYTES, needed_bytes
from streams.transport.broker import TopicSpec
from streams.transport.kafka.options import KafkaOptions

__all__ = ["require_size", "size_problem", "topic_settings"]

_TOPIC_BYTES = 4 << 20
"""What our topics take: foreign producers may send larger batches to `news` than we do."""


def topic_settings(topic: TopicSpec, options: KafkaOptions) -> dict[str, Any]:
    """How a topic is created."""
    largest = needed_bytes(ROW_BYTES) if topic.compacted else _TOPIC_BYTES
    configs = {"max.message.bytes": str(largest), "unclean.leader.election.enable": "false"}
    if topic.compacted:
        configs |= {"cleanup.policy": "compact", "min.compaction.lag.ms": str(options.compaction_lag_ms)}
    elif topic.retention_ms is not None:
        # By the time of appending: a replay's records are years old, and by their own dates they would go unread.
        configs |= {"retention.ms": str(topic.retention_ms), "message.timestamp.type": "LogAppendTime"}
    if options.min_in_sync is not None:
        configs["min.insync.replicas"] = str(options.min_in_sync)
    return {"num_partitions": topic.partitions, "replication_factor": options.replication, "configs": configs}


def size_problem(config: Mapping[str, str], largest: int) -> str | None:
    """What is wrong with a topic's `max.message.bytes`, its own or the broker's, for records of up to `largest`."""
    found, needed = config.get("max.message.bytes"), needed_bytes(largest)
    if found is None or int(found) >= needed:
        return None
    return f"takes batches of {int(found):,} bytes, what is sent there needs {needed:,}: set max.message.bytes={needed}"


def require_size(configs: Mapping[str, Mapping[str, str]], largest: int, bootstrap: str) -> None:
    """Raises TransportError that names each topic whose limit is below what is sent there, and the fix."""
    found = {name: size_problem(config, largest) for name, config in sorted(configs.items())}
    problems = [f"topic {name} {problem}" for name, problem in found.items() if problem]
    if problems:
        raise TransportError(f"Kafka at {bootstrap}: {'; '.join(problems)} (kafka-configs.sh --alter --topic …)")
