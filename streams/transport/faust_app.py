"""A stage as a Faust app: settings that keep out of Faust's traps, and the agent that is glue.

    app = make_app("watch", broker_url=url, group="moodwire.live.watch", data_dir=folder)
    state = FaustState(app, "rows", partitions=1)
    job = run_stage(app, "moodwire.live.mentions", WatchStage(state, FaustOutbox(app)))
    await run_stages([job], until=stop)

The topics that a stage reads and writes exist before it starts (`ensure_topics`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import faust
from faust.tables.manager import TableManager
from yarl import URL

from streams.engine.ports import Stage
from streams.transport.dispatch import Dispatcher
from streams.transport.runs import RunLimits, RunSchema
from streams.transport.sqlite.broker import broker_path
from streams.transport.sqlite.store import Store
from streams.transport.sqlite.transport import register

__all__ = ["StageJob", "TopicSpec", "ensure_topics", "make_app", "open_store", "run_stage"]

log = logging.getLogger(__name__)


class _PromptTables(TableManager):
    """Without the second that Faust waits for agents to start: they have started before the tables do."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class StageApp(faust.App):
    """A Faust app that carries a stage's run limits."""

    run_limits: RunLimits = RunLimits()
    drain_seconds: float = 10.0
    lanes: Dispatcher | None = None


def make_app(
    stage_name: str,
    *,
    broker_url: str,
    group: str,
    data_dir: Path,
    limits: RunLimits | None = None,
    commit_interval_seconds: float = 0.25,
    drain_seconds: float = 10.0,
) -> StageApp:
    """The app of one stage. `group` is its consumer group's full name and prefixes its changelogs.

    `broker_url` is `sqlite:///absolute/path/broker.db`; raises SettingsError for another. Opens no file yet.
    """
    register()
    path = broker_path(broker_url)
    folder = data_dir / "faust" / stage_name
    folder.mkdir(parents=True, exist_ok=True)
    app = StageApp(
        group,
        broker=[URL.build(scheme="sqlite", host="", path=str(path))],
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
    )
    app.run_limits = limits or RunLimits()
    app.drain_seconds = drain_seconds
    return app


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that must exist. `compacted` keeps the last record of each key."""

    name: str
    partitions: int = 1
    compacted: bool = False
    retention_ms: int | None = None


def open_store(broker_url: str) -> Store:
    """The log behind `sqlite:///absolute/path/broker.db`, for publishers, commands and tests."""
    return Store.open(broker_path(broker_url))


def ensure_topics(broker_url: str, topics: Iterable[TopicSpec]) -> None:
    """Creates what is missing; raises TransportError when one exists with other partitions."""
    with open_store(broker_url) as store:
        for topic in topics:
            store.create_topic(topic.name, topic.partitions, compacted=topic.compacted, retention_ms=topic.retention_ms)


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
        await self.dispatcher.close(self.app.drain_seconds)
        if self.app.started:
            await self.app.stop()
        self.app.transport.unclaim()
        self.app.transport.release()


def run_stage(app: StageApp, topic: str, stage: Stage, *, idle_seconds: float = 1.0) -> StageJob:
    """Makes the agent that feeds the stage with the topic's runs. To be called before the app starts."""
    name = app.conf.id

    def source() -> Any:
        return app.consumer

    dispatcher = Dispatcher(stage, source, idle_seconds=idle_seconds)
    app.lanes = dispatcher
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
