"""Wiring: from settings to running stages. The only place that knows all parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial

from alerts import AlertConfig
from alerts.delivery import Channel, EmailChannel
from alerts.delivery.smtp import Briefing
from alerts.judge import Judge, Policy
from models import Classifier
from streams.alert_rules import alert_config, profile_of, rules_of
from streams.archive import open_archive
from streams.archive.protocol import Archive
from streams.archive.sqlite import SqliteArchive
from streams.classifiers import check_classifiers, model_opener, shipped_models
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.ports import Outbox, Parking, Stage
from streams.engine.runs import Record
from streams.engine.ticks import ClockLimit
from streams.feeds.fieldmap import field_map_of
from streams.logs import get_logger
from streams.losses import check_for_losses
from streams.namespaces import Kind, declare
from streams.observe.operations import Operations
from streams.parking import RejectsParking
from streams.private_files import private_home
from streams.process import settle_interpreter
from streams.receivers.channels import channels_of, rates_of
from streams.receivers.labels import label_warnings
from streams.receivers.policy import read_policy
from streams.receivers.surges import surges_of
from streams.serving.control import Control, Watched, read_control, watched_send
from streams.serving.follower import Follower, active_models
from streams.serving.model_cache import ModelCache, OpenModel
from streams.serving.shadow import ShadowScorer
from streams.serving.swap import FixedVersions, SwappedVersions
from streams.serving.watched import WatchedLists
from streams.settings import Settings
from streams.stages.deliver import DELIVERIES, DeliverStage
from streams.stages.deliver_book import Book
from streams.stages.deliver_clerk import Clerk, Timekeeper
from streams.stages.deliver_judging import MakeJudge
from streams.stages.reader import TextReader
from streams.stages.score import RunVersions, ScoreOptions, ScoreStage
from streams.stages.watch import WatchStage
from streams.stages.watch_rules import LiveRules
from streams.supervision import Supervisor
from streams.text.user_rules import stamp_of
from streams.topics import topic_specs
from streams.transport.asking import ask
from streams.transport.broker import Broker, TopicState, open_broker
from streams.transport.dispatch import nothing
from streams.transport.faust_app import StageApp, StageJob, make_app, run_stage
from streams.transport.lane import Pace
from streams.transport.outbox import FaustOutbox
from streams.transport.runs import RunLimits
from streams.transport.tables import FaustState
from streams.wall_clock import HOUR_MS

__all__ = ["STAGES", "Pipeline"]

log = get_logger(__name__)

STAGES = ("score", "watch", "deliver")


@dataclass
class Pipeline:
    """The stages of one process, ready to run. Use as an async context manager: it closes what it opened.

    `classifiers` and `channels` may be given in place of those that the settings name; classifiers that are given are
    not changed by promotions. `open_model` loads versions in place of the registry's; neither is checked against the
    profile. `make_judge` makes the judge in place of the one that routes alerts by the settings. `operations` watches.
    `make_briefing` makes what pages of a day come from, for digests.
    `jobs`, `config` (the alert rules) and `delivering` with its `policy` (the stage deliver, if it is one of them) are
    set once it is entered. Entering declares the namespace to be of `kind`, and raises `SettingsError` where it is of
    the other or was made with another profile, or the profile does not fit its classifiers,
    `ArchiveDamaged` where the embedded archive is empty and its broker holds items that were archived.
    """

    settings: Settings
    stages: Sequence[str] = STAGES
    classifiers: Mapping[str, Classifier] | None = None
    channels: Iterable[Channel] | None = None
    archive: Archive | None = None
    operations: Operations | None = None
    open_model: OpenModel | None = None
    make_judge: MakeJudge | None = None
    kind: Kind = Kind.LIVE
    make_briefing: Callable[[Archive], Briefing] | None = None
    jobs: list[StageJob] = field(default_factory=list, init=False)
    config: AlertConfig = field(init=False)
    delivering: DeliverStage | None = field(default=None, init=False)
    policy: Policy = field(init=False)
    _news: TopicState = field(init=False)
    _alerts: TopicState = field(init=False)
    _control: Control = field(default_factory=Control, init=False)
    _files: SqliteArchive | None = field(default=None, init=False)
    _followers: list[Follower] = field(default_factory=list, init=False)
    _broker: Broker | None = field(default=None, init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack, init=False)

    async def __aenter__(self) -> Pipeline:
        private_home(self.settings.home)
        self._profile = profile_of(self.settings)
        self.config = alert_config(self.settings, self._profile)
        with open_broker(self.settings.broker, self.settings.kafka) as broker:
            broker.ensure_topics(topic_specs(self.settings))
            declare(broker, self.settings.topics, self.kind, self._profile.name)
            self._news = broker.topic(self.settings.topics.news)
            self._alerts = broker.topic(self.settings.topics.alerts)
            self._control = read_control(broker.scan(self.settings.topics.control))
        if self.archive is None:
            self.archive = await self._open_archive()
        if self.operations is not None:
            self.archive = self.operations.archive(self.archive)
            self.operations.rules(self.config)
        self.jobs = [self._job(name) for name in self.stages]
        for follower in self._followers:
            await self._stack.enter_async_context(follower)
        if self.delivering is not None:
            await self._stack.enter_async_context(self.delivering)
        self._follow_rules()
        settle_interpreter()
        return self

    async def _open_archive(self) -> Archive:
        archive = open_archive(self.settings.archive, self.settings.elastic)
        self._stack.push_async_callback(archive.close)
        if isinstance(archive, SqliteArchive):
            self._files = archive
            try:
                await check_for_losses(self.settings, archive)
            except BaseException:
                await self._stack.aclose()
                raise
        return archive

    def check(self) -> None:
        """Raises `ArchiveDamaged` when the embedded archive's file was removed or replaced; for `run_stages`."""
        if self._files is not None:
            self._files.check()

    @property
    def broker(self) -> Broker:
        """The broker as commands see it; closed with the pipeline."""
        if self._broker is None:
            self._broker = self._stack.enter_context(open_broker(self.settings.broker, self.settings.kafka))
        return self._broker

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def _job(self, name: str) -> StageJob:
        settings, topics = self.settings, self.settings.topics
        app = make_app(
            name,
            broker_url=settings.broker,
            group=topics.group(name),
            data_dir=settings.home,
            limits=RunLimits(settings.run_records, settings.run_bytes, settings.runs_in_flight),
            drain_seconds=settings.drain_seconds,
            kafka=settings.kafka,
        )
        build = {"score": self._score, "watch": self._watch, "deliver": self._deliver}[name]
        stage = build(app)
        if self.operations is not None:
            stage = self.operations.stage(name, stage)
        intervals = {"score": settings.score_seconds, "watch": settings.watch_seconds}
        pace = Pace(min_run_interval_seconds=intervals.get(name, 0.0) if self._live else 0.0)
        source = topics.sources[name]
        return run_stage(
            app,
            source,
            stage,
            pace=pace,
            parking=self._parking(app, name, source),
            finish=self.delivering.finish if name == "deliver" and self.delivering is not None else nothing,
            partitions={"score": self._news.partitions, "deliver": self._alerts.partitions}.get(name),
        )

    @property
    def _on_loss(self) -> Callable[[str, str], None]:
        return self.operations.lost if self.operations is not None else lambda *_: None

    def _state(self, app: StageApp, name: str, partitions: int, *, fenced: bool = False) -> FaustState:
        return FaustState(app, name, partitions=partitions, fenced=fenced, on_foreign=self._on_loss)

    def _parking(self, app: StageApp, name: str, source: str) -> Parking:
        topics = self.settings.topics
        kind = topics.kind(source)
        return RejectsParking(FaustOutbox(app), topics.rejects, kind, name, self._observer, self._on_loss)

    @property
    def _live(self) -> bool:
        return self.kind is Kind.LIVE

    @property
    def _ahead_ms(self) -> int:
        return round(self.settings.clock_ahead_seconds * 1000)

    @property
    def _observer(self) -> StageObserver:
        return self.operations.metrics if self.operations is not None else NoObserver()

    def _outbox(self, app: StageApp) -> Outbox:
        outbox = FaustOutbox(app)
        return outbox if self.operations is None else self.operations.outbox(outbox)

    def _score(self, app: StageApp) -> Stage:
        settings, profile = self.settings, self._profile
        assert self.archive is not None
        options = ScoreOptions(
            topics=settings.topics,
            source_epoch=self._news.epoch,
            source_partitions=self._news.partitions,
            mentions_partitions=settings.mentions_partitions,
            late_after_ms=int(settings.late_after_hours * HOUR_MS),
            live=self._live,
            ahead_ms=self._ahead_ms,
        )
        reader = TextReader.build(profile, gazetteer=settings.gazetteer, watchlists=settings.watchlists)
        return ScoreStage(
            options,
            profile,
            reader,
            self._versions(app),
            self.archive,
            self._outbox(app),
            field_map_of(settings),
            observer=self._observer,
            rules=self._rules,
        )

    def _versions(self, app: StageApp) -> RunVersions:
        """The classifiers that were given, or those that are promoted while the stage runs."""
        watch: Callable[[Mapping[str, Classifier]], Mapping[str, Classifier]]
        watch = self.operations.classifiers if self.operations is not None else lambda classifiers: classifiers
        if self.classifiers is not None:
            return FixedVersions(watch(self.classifiers))
        shipped_here = shipped_models(self._profile)
        open_model = self.open_model or model_opener(self.settings)
        scorer = ShadowScorer(open_model, self.operations.metrics.learning if self.operations is not None else None)
        self._stack.callback(scorer.close)
        lists = WatchedLists()
        cache = ModelCache(
            open_model, active_models(self._control, shipped_here, lists), lambda loaded: scorer.watch(watch(loaded))
        )
        if self.open_model is None:
            check_classifiers(self._profile, cache.classifiers(cache.wanted).values())
        topic = self.settings.topics.control
        self._followers.append(
            Follower(
                lambda: read_control(self.broker.scan(topic)),
                cache,
                shipped_here,
                every_seconds=self.settings.control_seconds,
                listeners=(scorer,),
                on_trouble=partial(self._trouble, "model"),
                supervisor=self.operations.tasks if self.operations is not None else None,
                lists=lists,
            )
        )
        return SwappedVersions(cache, self._state(app, "models", self._news.partitions), lists)

    def _trouble(self, reason: str, problem: str | None, subject: str = "") -> None:
        """A trouble that begins, or without a problem has ended."""
        if self.operations is None:
            return
        if problem is None:
            self.operations.troubles.clear(reason, subject)
        else:
            self.operations.troubles.raise_trouble(reason, problem, subject)

    @cached_property
    def _rules(self) -> LiveRules:
        """The user's rules, one reader for the stages of this process."""
        settings, profile, path = self.settings, self._profile, self.settings.rules
        return LiveRules(
            lambda: rules_of(settings, profile),
            lambda: stamp_of(path) if path is not None else None,
            lambda document, retired: alert_config(settings, profile, document, retired),
            every_seconds=settings.control_seconds,
            on_trouble=self._rules_trouble,
        )

    def _follow_rules(self) -> None:
        """The file is looked at by time: where no run comes, nothing else would report its mistake."""
        if self.settings.rules is None or not {"score", "watch"} & set(self.stages):
            return
        supervisor = self.operations.tasks if self.operations is not None else Supervisor()
        supervisor.start("rules", self._rules.follow)
        self._stack.push_async_callback(supervisor.stop, "rules")

    def _rules_trouble(self, rule: str, problem: str | None) -> None:
        self._trouble("rule_often" if rule else "rules", problem, rule)

    def _watch(self, app: StageApp) -> Stage:
        assert self.archive is not None
        state = self._state(app, "series", self.settings.mentions_partitions)
        topic = self.settings.topics.alerts
        hold_ms = round(self.settings.hold_hours * HOUR_MS) if self._live else None
        most = self.settings.hold_items if self._live else None
        limit = ClockLimit(self._ahead_ms) if self._live else None
        return WatchStage(
            self.config,
            self.archive,
            self._outbox(app),
            state,
            topic,
            self._observer,
            hold_ms,
            limit,
            most,
            self._rules,
        )

    def _clerk(self, outbox: Outbox, book: Book) -> Clerk:
        settings, topics = self.settings, self.settings.topics
        broker = self._stack.enter_context(open_broker(settings.broker, settings.kafka))

        def behind(offset: int) -> tuple[str, Sequence[Record]]:
            return broker.topic(topics.control).epoch, list(broker.read(topics.control, 0, offset))

        async def read_control(offset: int) -> tuple[str, Sequence[Record]]:
            return await ask(partial(behind, offset), "decisions")

        timekeeper = Timekeeper(round(settings.away_seconds * 1000)) if self._live else None
        return Clerk(
            book, outbox, topics.alerts, topics.control, read_control, timekeeper=timekeeper, on_away=self._tell_away
        )

    def _tell_away(self, partition: int, away: bool) -> None:
        self._trouble("partition_away", "ticks are decided without it" if away else None, str(partition))

    def _deliver(self, app: StageApp) -> Stage:
        assert self.archive is not None
        channels = list(self.channels) if self.channels is not None else channels_of(self.settings)
        for channel in channels:
            self._stack.push_async_callback(channel.aclose)
            if isinstance(channel, EmailChannel):
                channel.history = surges_of(self.archive)
                channel.briefing = self.make_briefing(self.archive) if self.make_briefing else None
        names = [channel.name for channel in channels]
        self.policy = read_policy(self.settings.routes, names)
        for warning in label_warnings(self.settings):
            log.warning("Routes name what no alert has", detail=warning)
        outbox, topic = self._outbox(app), self.settings.topics.control

        async def publish(words: Sequence[Watched]) -> None:
            await outbox.send([watched_send(topic, word) for word in words])

        self.delivering = DeliverStage(
            self.archive,
            channels,
            self._state(app, DELIVERIES, self._alerts.partitions, fenced=True),
            self.make_judge or partial(Judge, self.policy),
            check_lease=lambda: app.consumer.check_lease(),
            observer=self._observer,
            deadline_ms=round(self.settings.deliver_deadline_hours * HOUR_MS),
            rates={name: rate for name, rate in rates_of(self.settings).items() if name in names},
            shared=bool(self.settings.topics.foreign("alerts")),
            make_clerk=partial(self._clerk, outbox),
            publish=publish,
        )
        if self.operations is not None:
            self.operations.receivers(self.delivering.receivers)
        return self.delivering
