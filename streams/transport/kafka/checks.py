"""What `doctor` asks a cluster: each check says what it found, or raises TransportError with what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streams.errors import TransportError
from streams.limits import RECORD_BYTES, ROW_BYTES
from streams.transport.broker import TopicSpec, setting_of
from streams.transport.kafka.client import KafkaBroker
from streams.transport.kafka.cluster import Cluster, TopicFacts
from streams.transport.kafka.topic_settings import size_problem
from streams.wall_clock import HOUR_MS, wall_clock_ms

__all__ = ["check_clock", "check_cluster", "check_permissions", "check_retention", "check_topics", "durability"]

OLDEST_VERSION = 2.8
"""The first Kafka that tells a topic's id: without it a topic made again would look old."""

MOST_SKEW_MS = 2_000
_NEEDED = ("READ", "WRITE", "DESCRIBE")


def check_cluster(cluster: Cluster) -> str:
    """Whether the brokers answer, how many, and whether they are new enough."""
    described = cluster.admin(lambda admin: admin.describe_cluster())
    brokers = described["brokers"]
    versions = sorted({_version(cluster, broker["broker_id"]) for broker in brokers})
    if versions[0] < OLDEST_VERSION:
        raise TransportError(f"Kafka {versions[0]} is too old: moodwire needs topic ids, of Kafka {OLDEST_VERSION} on")
    shown = ", ".join(map(str, versions))
    return f"{len(brokers)} broker{'s' * (len(brokers) != 1)} at {cluster.bootstrap}, Kafka {shown} or newer"


def _version(cluster: Cluster, broker_id: int) -> float:
    known = str(cluster.admin(lambda admin: admin.get_broker_version_data(broker_id)))
    major, minor = known.strip("<>").split()[-1].split(".")[:2]
    return float(f"{major}.{minor}")


def check_topics(cluster: Cluster, wanted: Sequence[TopicSpec], changelogs: Iterable[str]) -> str:
    """Whether the topics that exist are as the settings ask and safe to lose a broker with."""
    specs = {topic.name: topic for topic in wanted}
    facts = cluster.topics([*specs, *changelogs])
    absent = [topic for topic in wanted if topic.foreign and topic.name not in facts]
    configs = cluster.configs(facts) if facts else {}
    problems = [
        f"{name}: {problem}"
        for name, found in sorted(facts.items())
        for problem in _all_problems(found, configs.get(name, {}), specs.get(name), cluster)
    ]
    problems += [f"{topic.name} does not exist: create it, or correct {setting_of(topic.foreign)}" for topic in absent]
    if problems:
        raise TransportError("; ".join(problems))
    missing = sorted(specs.keys() - facts.keys())
    note = f"; not made yet, the first run makes them: {', '.join(missing)}" if missing else ""
    foreign = "".join(
        f"; {_foreign(facts[name], configs.get(name, {}), specs[name])}"
        for name in facts
        if _is_foreign(specs.get(name))
    )
    return f"{len(facts)} topics as they should be{note}{foreign}{durability(facts.values(), configs)}"


def _is_foreign(spec: TopicSpec | None) -> bool:
    return spec is not None and bool(spec.foreign)


def _foreign(found: TopicFacts, config: Mapping[str, str], spec: TopicSpec) -> str:
    """What a topic is like that is others' and stays as it is."""
    retention_ms = int(config.get("retention.ms", "-1"))
    kept = "kept for ever" if retention_ms < 0 else f"kept for {retention_ms / HOUR_MS:g} h"
    policy = config.get("cleanup.policy", "delete")
    shape = f"{found.partitions} partitions, {kept}, cleanup.policy={policy}"
    text = f"{found.name} ({setting_of(spec.foreign)}): {shape}, not changed"
    if spec.foreign != "rejects" and "compact" in policy:
        text += "; warning: of records with one key the earlier may be gone before they are read"
    return text


def durability(topics: Iterable[TopicFacts], configs: Mapping[str, Mapping[str, str]]) -> str:
    """A warning about topics where an acknowledged record may be on one broker alone."""
    weak = [
        topic.name
        for topic in topics
        if topic.replicas > 1 and int(configs.get(topic.name, {}).get("min.insync.replicas", "1")) == 1
    ]
    if not weak:
        return ""
    return (
        f"; warning: {', '.join(sorted(weak))} acknowledge a record that one replica has (min.insync.replicas=1), so "
        "losing a broker may lose it: set min.insync.replicas=2 (MOODWIRE_KAFKA_MIN_IN_SYNC=2 for topics to come)"
    )


def _all_problems(
    found: TopicFacts, config: Mapping[str, str], spec: TopicSpec | None, cluster: Cluster
) -> Iterable[str]:
    """What is wrong with a topic; with one that is others' only what keeps records from being sent."""
    if spec is None or not spec.foreign:
        return _problems(found, config, spec, cluster)
    problem = size_problem(config, RECORD_BYTES) if spec.written else None
    return [problem] if problem else []


def _problems(found: TopicFacts, config: Mapping[str, str], spec: TopicSpec | None, cluster: Cluster) -> Iterator[str]:
    if spec is not None and found.partitions != spec.partitions:
        yield (
            f"has {found.partitions} partitions and the settings ask for {spec.partitions} (MOODWIRE_PARTITIONS, "
            "MOODWIRE_MENTIONS_PARTITIONS)"
        )
    if problem := size_problem(config, ROW_BYTES if spec is None else RECORD_BYTES):
        yield problem
    if config.get("unclean.leader.election.enable") == "true":
        yield "a replica that is behind may lead it and lose records: set unclean.leader.election.enable=false"
    least = int(config.get("min.insync.replicas", "1"))
    if least > found.replicas:
        yield f"has {found.replicas} replicas, and min.insync.replicas={least} lets nothing be sent"
    elif found.replicas > 1 and least == found.replicas:
        yield f"min.insync.replicas={least} of {found.replicas} replicas: losing one broker stops it; take one less"
    if spec is not None and spec.retention_ms is not None and config.get("message.timestamp.type") != "LogAppendTime":
        yield (
            "retention goes by the records' own dates, so replayed ones may go unread: set "
            "message.timestamp.type=LogAppendTime"
        )
    compacted = "compact" in config.get("cleanup.policy", "")
    if (spec is None or spec.compacted) and not compacted:
        yield "keeps rows by age and not by key: set cleanup.policy=compact"
    if spec is None and compacted:
        lag_ms = int(config.get("min.compaction.lag.ms", "0"))
        if lag_ms < cluster.options.session_seconds * 10_000:
            yield (
                f"min.compaction.lag.ms={lag_ms}: a paused worker's late row could replace its successor's; set it to "
                f"{cluster.options.compaction_lag_ms}"
            )


def check_permissions(cluster: Cluster, wanted: Sequence[TopicSpec]) -> str:
    """Whether the user may read and write what exists and create what does not.

    An existing topic of news may be read only: then feeds and `rejects retry` cannot publish to it.
    """
    specs = {topic.name: topic for topic in wanted}
    facts = cluster.topics(specs)
    problems = [
        f"{name}: this user may not {', '.join(denied)}"
        for name, found in sorted(facts.items())
        if (denied := [operation for operation in _needed(specs[name]) if operation not in found.allowed])
    ]
    read_only = [name for name, found in facts.items() if not specs[name].written and "WRITE" not in found.allowed]
    described = cluster.admin(lambda admin: admin.describe_cluster())
    allowed = described.get("authorized_operations")
    if allowed is not None and len(facts) < len(wanted) and "CREATE" not in allowed:
        missing = sorted({topic.name for topic in wanted} - facts.keys())
        problems.append(f"this user may not create topics, and these are missing: {', '.join(missing)}")
    if problems:
        raise TransportError("; ".join(problems) + ": give it the rights (ACLs)")
    note = (
        f"; may not WRITE {read_only[0]}, so neither feeds nor `rejects retry` can publish to it" if read_only else ""
    )
    return f"may {', '.join(_NEEDED)} {len(facts) - len(read_only)} topics{note}"


def _needed(topic: TopicSpec) -> Sequence[str]:
    return _NEEDED if topic.written else ("READ", "DESCRIBE")


def check_retention(broker: KafkaBroker, groups: Sequence[tuple[str, str]], now_ms: int) -> str:
    """Whether retention has passed a stage, or is about to."""
    known = broker.cluster.topics(topic for _, topic in groups)
    late = broker.late(now_ms, [(group, topic) for group, topic in groups if topic in known])
    if late:
        raise TransportError(
            "; ".join(
                f"{place.group} {'lost' if place.lost else 'is about to lose'} {place.records} records of "
                f"{place.topic}/{place.partition} to retention"
                for place in late
            )
            + ": start that stage, give it more workers, or raise MOODWIRE_RETENTION_HOURS"
        )
    return "no stage is near the end of its topic's retention"


def check_clock(cluster: Cluster) -> str:
    """How far this machine's clock is from the cluster's; its controllers' leader tells the time of the asking."""
    before_ms = wall_clock_ms()
    quorum = cluster.admin(lambda admin: admin.describe_metadata_quorum())
    after_ms = wall_clock_ms()
    [partition] = quorum["topics"][0]["partitions"]
    told = [
        voter["last_caught_up_timestamp"]
        for voter in partition["current_voters"]
        if voter["replica_id"] == partition["leader_id"]
    ]
    if not told or told[0] < 0:
        return "the cluster does not tell its time"
    early, late = before_ms - told[0], after_ms - told[0]
    skew_ms = 0 if early <= 0 <= late else early if early > 0 else late
    if abs(skew_ms) > MOST_SKEW_MS:
        raise TransportError(
            f"this machine's clock is {skew_ms / 1000:+.1f} s off the cluster's; windows go by it: run an NTP client"
        )
    return f"within {max(abs(skew_ms), late - early)} ms of the cluster's"
