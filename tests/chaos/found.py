"""What did come out, read from the servers with their own clients rather than with ours where that is possible."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from alerts.delivery import AlertGroup
from alerts.judge import Judge, Policy
from streams.alert_log import ALERTS_PARTITION
from streams.errors import Reject
from streams.settings import Settings
from streams.stages.deliver_judging import OneJudge
from streams.stages.drafts import end_of_replay
from streams.stages.watch_rows import SeriesRow
from streams.transport.broker import Broker
from streams.transport.tables import Rows
from tests.chaos.reference import Facts, Logs, Outcomes

__all__ = ["alert_states", "announced", "documents", "found", "messages", "news_log", "parked"]


def news_log(broker: Broker, settings: Settings) -> tuple[str, list[Any]]:
    """The topic news as it stands: its epoch and its records by partition."""
    topic = settings.topics.news
    partitions = [list(broker.read(topic, number)) for number in range(settings.partitions)]
    return broker.topic(topic).epoch, partitions


def found(settings: Settings, archive_url: str, broker: Broker, logs: Logs, files: Iterable[Path]) -> Outcomes:
    """Everything that the run of the scenario left; `files` are those that alerts were written to."""
    outcomes = Outcomes(records=sum(1 for record in _records(logs) if end_of_replay(record) is None))
    prefix = settings.elastic.prefix
    with Elasticsearch(archive_url, request_timeout=60) as client:
        client.indices.refresh(index=f"{prefix}*")
        _read_versions(client, prefix, outcomes)
        for hit in documents(client, f"{prefix}sightings"):
            epoch, partition, offset = hit["_id"].rsplit(".", 2)
            outcomes.duplicates.add((epoch, int(partition), int(offset)))
        for body in alert_states(client, prefix):
            outcomes.alerts[body["id"], body["revision"]] = body
        for hit in documents(client, f"{prefix}hours"):
            hour = hit["_source"]["moodwire"]["hour"]
            outcomes.stored_twice += (key := _key_of(hour, hit)) in outcomes.hours
            outcomes.hours[key] = hour
    outcomes.rejects = {key for key in parked(settings, broker) if key.startswith("news:")}
    outcomes.rows = _rows(settings, broker)
    outcomes.notifications = set(announced(files))
    return outcomes


def _key_of(hour: dict[str, Any], hit: Mapping[str, Any]) -> tuple[str, str, int]:
    return hour.pop("signal"), hour.pop("series"), hit["_source"]["@timestamp"]


def parked(settings: Settings, broker: Broker) -> set[str]:
    """The positions of all that is parked, of any topic."""
    return {(record.key or b"").decode() for record in broker.scan(settings.topics.rejects)}


def _records(logs: Logs) -> Iterator[Any]:
    for _, partitions in logs:
        for partition in partitions:
            yield from partition


def alert_states(client: Elasticsearch, prefix: str) -> Iterator[dict[str, Any]]:
    """Every state of every alert, as it is archived."""
    for hit in documents(client, f"{prefix}alert-states"):
        yield json.loads(hit["_source"]["moodwire"]["alert"]["body"])


def documents(client: Elasticsearch, index: str) -> Iterator[Mapping[str, Any]]:
    if client.indices.exists(index=index):
        yield from scan(client, index=index, size=2_000, query={"query": {"match_all": {}}})


def _read_versions(client: Elasticsearch, prefix: str, outcomes: Outcomes) -> None:
    for hit in documents(client, f"{prefix}items-*"):
        own = hit["_source"]["moodwire"]
        key = own["id"], own["content"]
        if key in outcomes.versions:
            outcomes.stored_twice += 1
        outcomes.versions[key] = _facts(hit["_source"])


def _facts(source: Mapping[str, Any]) -> Facts:
    own = source["moodwire"]
    scores = own["current"]
    tone, topic = (scores.get("heads", {}).get(head) for head in ("sentiment", "topic"))
    return Facts(
        position=_position(own["position"]),
        title=source["message"],
        seen_ms=source["@timestamp"],
        language=own["language"],
        series=tuple(scores["series"]),
        sentiment=(tone["label"], *tone["probabilities"].values()) if tone else None,
        topic=topic["label"] if topic else "",
        late=own.get("late", False),
        is_item=own["item"],
    )


def _position(fields: Mapping[str, Any]) -> tuple[str, int, int]:
    return fields["epoch"], fields["partition"], fields["offset"]


def _rows(settings: Settings, broker: Broker) -> dict[str, bytes]:
    """The rows of series that a restart would restore."""
    rows: dict[str, bytes] = {}
    [topic] = [name for name in broker.names(settings.topics.group("watch")) if name.endswith("-changelog")]
    for partition in range(settings.mentions_partitions):
        folded = Rows()
        for record in broker.read(topic, partition):
            folded.take(record.key or b"", record.value, record.headers)
        for key, value in folded.values.items():
            _, _, name = key.decode().partition("|")
            if name.startswith("s/"):
                rows[name.removeprefix("s/")] = bytes(SeriesRow.of(value).state)
    return rows


def announced(files: Iterable[Path]) -> Counter[tuple[str, int]]:
    """How often each message was written to the files of all workers, by the group's id and revision."""
    lines = [json.loads(line) for file in files if file.exists() for line in file.read_bytes().splitlines()]
    return Counter((line["group"]["id"], line["group"]["revision"]) for line in lines)


def messages(settings: Settings, broker: Broker, policy: Policy) -> dict[str, list[AlertGroup]]:
    """What one judge that never died decides by the log: by receiver the messages in order."""
    judge = OneJudge(partial(Judge, policy), ALERTS_PARTITION)
    judge.restore({}, -1)
    found: dict[str, list[AlertGroup]] = defaultdict(list)
    for record in broker.read(settings.topics.alerts, ALERTS_PARTITION):
        with suppress(Reject):  # garbage that the scenario wrote
            for plan in judge.caused(record, record.offset).plans:
                found[plan.receiver].append(plan.group)
    return found
