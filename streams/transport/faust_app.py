"""A stage as a Faust app: settings that keep out of Faust's traps, and the agent that is glue.

    app = make_app("watch", broker_url=url, group="moodwire.live.watch", data_dir=folder)
    state = FaustState(app, "rows", partitions=1)
    job = run_stage(app, "moodwire.live.mentions", WatchStage(state, FaustOutbox(app)))
    await run_stages([job], until=stop)

The topics that a stage reads and writes exist before it starts (`ensure_topics`).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import faust
from faust.tables.manager import TableManager
from yarl import URL

from streams.engine.ports import Parking, Stage
from streams.limits import BATCH_BYTES, ROW_BYTES, needed_bytes
from streams.private_files import private_folder
from streams.transport import internals
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.dispatch import PACE, Dispatcher, Finish, nothing
from streams.transport.kafka.options import KafkaOptions, bootstrap_of, is_kafka
from streams.transport.lane import Pace
from streams.transport.runs import RunLimits, RunSchema
from streams.transport.sqlite.broker import broker_path
from streams.transport.sqlite.transport import register as register_sqlite

__all__ = ["StageApp", "StageJob", "TopicSpec", "ensure_topics", "make_app", "run_stage"]


_NEVER_SECONDS = 30 * 86_400.0
_LEAST_SECONDS = 0.5


class _PromptTables(TableManager):
    """Without the second that Faust waits for agents to start: they have started before the tables do."""

    async def on_start(self) -> None:
        await internals.update_channels(self)
        await self.recovery.start()


class StageApp(faust.App):
    """A Faust app that carries a stage's run limits."""

    run_limits: RunLimits = RunLimits()
    drain_seconds: float = 10.0
    source_topic: str | None = None
    lanes: Dispatcher | None = None
    stop_by: float | None = None
    broker_url: str = ""
    kafka: KafkaOptions = KafkaOptions()
    made_for: Mapping[str, int] = MappingProxyType({})
    """Partitions that the stage has rows for, by topic."""

    @property
    def bound_seconds(self) -> float:
        """How long a part of stopping, or of giving partitions up, may take: a stop has one bound for all of them."""
        if self.stop_by is None:
            return self.drain_seconds
        return max(_LEAST_SECONDS, self.stop_by - time.monotonic())


def make_app(
    stage_name: str,
    *,
    broker_url: str,
    group: str,
    data_dir: Path,
    limits: RunLimits | None = None,
    commit_interval_seconds: float = 0.25,
    drain_seconds: float = 10.0,
    kafka: KafkaOptions | None = None,
) -> StageApp:
    """The app of one stage. `group` is its consumer group's full name and prefixes its changelogs.

    `broker_url` is `sqlite:///absolute/path/broker.db` or `kafka://host:port[,…]`, for which `kafka` tells more;
    raises SettingsError for another. Opens no file and no connection yet.
    """
    options = kafka or KafkaOptions()
    specific = _kafka_settings(broker_url, group, options) if is_kafka(broker_url) else _sqlite_settings(broker_url)
    folder = data_dir / "faust" / stage_name
    private_folder(folder)
    app = StageApp(
        group,
        datadir=folder,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=True,
        store="memory://",
        processing_guarantee="at_least_once",
        broker_commit_interval=commit_interval_seconds,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        TableManager=_PromptTables,
        **specific,
    )
    app.broker_url, app.kafka = broker_url, options
    app.run_limits = limits or RunLimits()
    app.drain_seconds = drain_seconds
    return app


def _sqlite_settings(broker_url: str) -> dict[str, Any]:
    register_sqlite()
    return {"broker": [URL.build(scheme="sqlite", host="", path=str(broker_path(broker_url)))]}


def _kafka_settings(broker_url: str, group: str, options: KafkaOptions) -> dict[str, Any]:
    """What Faust passes on to aiokafka."""
    from streams.transport.kafka.transport import register  # aiokafka takes a while to load

    register()
    session = options.session_seconds
    return {
        "broker": [URL(f"kafka://{server}") for server in bootstrap_of(broker_url)],
        "broker_credentials": options.security.credentials(),
        "broker_client_id": group,
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session / 4,
        "broker_request_timeout": max(90.0, 2 * session),
        "broker_max_poll_interval": _NEVER_SECONDS,  # a stage may wait for its archive for long; heartbeats tell
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": options.instance,
        "consumer_metadata_max_age_ms": 60_000,
        "producer_max_batch_size": BATCH_BYTES,
        "producer_max_request_size": needed_bytes(ROW_BYTES),
        "table_standby_replicas": 0,
        "canonical_url": _worker_url(options),
    }


def _worker_url(options: KafkaOptions) -> URL:
    """What tells workers apart; nobody connects to it. A named worker keeps it: the group hands it its old partitions
    with the URL that it had, and Faust takes no other."""
    instance = options.instance
    name = secrets.token_hex(16) if instance is None else hashlib.sha256(instance.encode()).hexdigest()[:32]
    return URL.build(scheme="http", host=f"{name}.worker", port=6066)


def ensure_topics(broker_url: str, topics: Iterable[TopicSpec], kafka: KafkaOptions | None = None) -> None:
    """Creates what is missing; raises TransportError when one exists with other partitions."""
    with open_broker(broker_url, kafka) as broker:
        broker.ensure_topics(topics)


@dataclass(frozen=True, slots=True)
class StageJob:
    """A stage that is ready to run: its app, its source topic, its lanes."""

    name: str
    app: StageApp
    topic: str
    dispatcher: Dispatcher

    async def start(self) -> Self:
        """Starts the app; returns when its rows are restored and its first runs may come.

        Raises StageTaken when another worker runs this stage.
        """
        self.app.transport.claim()
        await self.app.start()
        return self

    async def stop(self) -> None:
        """Finishes the runs in hand within the app's bound, commits them, and stops the app."""
        self.app.stop_by = time.monotonic() + self.app.drain_seconds
        await self.dispatcher.close(self.app.drain_seconds)
        if self.app.started:
            await self.app.stop()
        self.app.transport.unclaim()
        self.app.transport.release()


def run_stage(
    app: StageApp,
    topic: str,
    stage: Stage,
    *,
    pace: Pace = PACE,
    parking: Parking | None = None,
    finish: Finish = nothing,
    partitions: int | None = None,
) -> StageJob:
    """Makes the agent that feeds the stage with the topic's runs. To be called before the app starts.

    `parking` takes the records that the stage cannot handle; `finish` ends what it does beside its runs, within so many
    seconds. `partitions` is how many the topic had when the stage was made: once it has more, the stage ends (None: how
    many it has when it starts).
    """
    name = app.conf.id
    if partitions is not None:
        app.made_for = {topic: partitions}

    def source() -> Any:
        return app.consumer

    dispatcher = Dispatcher(
        stage,
        source,
        pace=pace,
        parking=parking,
        finish=finish,
        on_damage=app.crash,
    )
    app.lanes = dispatcher
    app.source_topic = topic
    channel = app.topic(topic, schema=RunSchema(), internal=False)

    async def feed(stream: Any) -> None:
        async for event in stream.noack().events():
            dispatcher.take(event)

    app.agent(channel, name=f"{name}.runs")(feed)

    async def assigned(_: Any, assigned: set[Any], **__: Any) -> None:
        for tp in assigned:
            if tp.topic == topic:
                dispatcher.own(tp.topic, tp.partition)

    app.on_partitions_assigned.connect(assigned, weak=False)
    return StageJob(name, app, topic, dispatcher)
