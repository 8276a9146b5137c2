"""Every figure that moodwire exports, in one registry that is passed in: no global state, no surprise in tests.

    stage figures      StageMetrics, its labels looked up once        records, runs, seconds, retries, progress
    Metrics            implements `engine.observer.StageObserver`     rejects, watermark, alerts, notifications

Updates are per run or rarer. Names follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from alerts import AlertEvent
from models import Classifier
from streams.observe.histogram import BatchHistogram
from streams.observe.learning import LearningFigures
from streams.wall_clock import wall_clock_ms

__all__ = ["Metrics", "StageMetrics", "exposition"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LATENCY_SECONDS = (
    0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 120.0, 300.0, 900.0,
    3600.0,
)  # fmt: skip  # finest around the promises: 250 ms to the archive, 37 s to an alert
_MODEL_LABELS = ("language", "name", "version")
_RECORDS = (1, 5, 25, 100, 250, 500, 1_000, 2_000, 5_000, 10_000)


class StageMetrics:
    """The figures of one stage."""

    def __init__(self, owner: Metrics, stage: str) -> None:
        self.records = owner.records.labels(stage)
        self.run_records = owner.run_records.labels(stage)
        self.run_seconds = owner.run_seconds.labels(stage)
        self.in_progress = owner.runs_in_progress.labels(stage)
        self.dropped = owner.runs_dropped.labels(stage)
        self.progress = owner.last_progress.labels(stage)
        self._retries = owner.retries
        self._stage = stage

    def done(self, records: int, seconds: float) -> None:
        """A run was handled to the end."""
        self.records.inc(records)
        self.run_records.observe(records)
        self.run_seconds.observe(seconds)

    def retried(self, reason: str) -> None:
        """An attempt failed and will be repeated."""
        self._retries.labels(self._stage, reason).inc()


class Metrics:
    """The process's figures in `registry`; `clock` gives the wall clock in ms."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], int] = wall_clock_ms) -> None:
        self.registry = registry
        self._clock = clock
        self._watermarks_ms: dict[int, int] = {}
        self._newest: dict[int, tuple[int, str]] = {}
        self._shown: set[int] = set()
        self._stage_figures()
        self._archive_figures()
        self._alert_figures()
        self._trouble_figures()
        self.learning = LearningFigures(registry)
        build = self._gauge("build_info", "This program; always 1.", ["version", "python"])
        build.labels(version("moodwire"), platform.python_version()).set(1)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(f"moodwire_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"moodwire_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, label: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"moodwire_{name}", text, [label], buckets=buckets, registry=self.registry)

    def _stage_figures(self) -> None:
        self.records = self._counter("records_total", "Records of runs that were handled to the end.", ["stage"])
        self.run_records = self._histogram("run_records", "Records in a handled run.", "stage", _RECORDS)
        self.run_seconds = self._histogram(
            "run_seconds", "Seconds of the attempt that handled a run.", "stage", _SECONDS
        )
        self.runs_in_progress = self._gauge("runs_in_progress", "Runs being handled now.", ["stage"])
        self.retries = self._counter(
            "retries_total", "Attempts at a run that failed and are repeated.", ["stage", "reason"]
        )
        self.runs_dropped = self._counter(
            "runs_dropped_total", "Runs given up because the partition or the process went.", ["stage"]
        )
        self.last_progress = self._gauge(
            "last_progress_timestamp_seconds", "When the stage last finished a run or found all read.", ["stage"]
        )
        self.stage_up = self._gauge("stage_up", "Whether the stage is started, restored and fetching.", ["stage"])
        self.inference_seconds = self._histogram(
            "inference_seconds", "Seconds of one call of the classifier.", "model", _SECONDS
        )
        self.inference_texts = self._counter("inference_texts_total", "Texts given to the classifier.", ["model"])
        self.model_info = self._gauge("model_info", "The loaded classifiers; always 1.", _MODEL_LABELS)
        self.rejects = self._counter("rejects_total", "Records that were parked.", ["stage", "reason"])

    def _archive_figures(self) -> None:
        self.archived = self._counter(
            "archived_items_total", "Items that the archive took; a redo counts again.", ["outcome"]
        )
        self.unscored = self._counter(
            "unscored_items_total", "Items whose language no classifier speaks: archived, not counted.", ["language"]
        )
        self.late_items = self._counter(
            "late_items_total", "Items published too long before they were seen: archived, not counted."
        )
        self.archive_seconds = self._histogram(
            "archive_write_seconds", "Seconds of a successful write to the archive.", "kind", _SECONDS
        )
        self.archive_failures = self._counter("archive_failures_total", "Writes that the archive refused.", ["reason"])
        self.archive_up = self._gauge("archive_up", "Whether the archive answered the last check.")
        self.broker_up = self._gauge("broker_up", "Whether the broker answered the last check.")
        self.archive_latency = BatchHistogram(
            "moodwire_archive_latency_seconds",
            "Seconds from an item's being seen to its being archived.",
            _LATENCY_SECONDS,
            self.registry,
        )

    def _alert_figures(self) -> None:
        self.alerts = self._counter(
            "alerts_total", "Changes of state of alerts.", ["signal", "rule", "change", "severity"]
        )
        self.alert_latency = BatchHistogram(
            "moodwire_alert_latency_seconds",
            "Seconds from the newest item behind an alert being seen to the alert being sent.",
            _LATENCY_SECONDS,
            self.registry,
        )
        self.notifications = self._counter("notifications_total", "Attempts to notify.", ["channel", "result"])
        self.waiting = self._gauge("notifications_waiting", "Notifications that wait for a channel.", ["channel"])
        self.oldest_waiting = self._gauge(
            "notifications_oldest_waiting_seconds", "Age of the oldest of them; 0 without any.", ["channel"]
        )
        self.watermark = self._gauge(
            "watermark_timestamp_seconds", "Event time up to which the partition has heard everything.", ["partition"]
        )
        self.newest_seen = self._gauge(
            "newest_seen_timestamp_seconds", "Latest time at which an item of news claims to be seen.", ["partition"]
        )
        self.series = self._gauge("series", "Series held in memory.", ["partition"])
        self.mentions_dropped = self._gauge(
            "mentions_dropped", "Mentions over a day late since the state began: in no baseline.", ["partition"]
        )
        self.lateness = self._gauge("lateness_seconds", "Disorder that windows wait for.")
        self.hop = self._gauge("hop_seconds", "Distance of ticks.")
        self.feed_polls = self._counter("feed_polls_total", "Polls of feeds.", ["result"])
        self.feeds_failing = self._gauge("feeds_failing", "Feeds whose last poll failed.")
        self.feeds_costly = self._counter(
            "feeds_costly_total", "Documents of feeds that took over a second of processor time to parse."
        )
        self.feed_entries_dropped = self._counter(
            "feed_entries_dropped_total", "Entries of feeds beyond the most that a document may have."
        )

    def _trouble_figures(self) -> None:
        self.trouble = self._gauge("trouble", "Whether moodwire is in trouble, by reason.", ["reason"])
        self.troubles = self._counter("troubles_total", "Episodes of trouble, by reason.", ["reason"])
        self.task_up = self._gauge("task_up", "Whether the background task works.", ["task"])
        self.task_failures = self._counter("task_failures_total", "Failures of background tasks.", ["task"])
        self.watchdog = self._counter("watchdog_pings_total", "The dead man's switch.", ["result"])

    # -- engine.observer.StageObserver

    def stage(self, name: str) -> StageMetrics:
        return StageMetrics(self, name)

    def rejected(self, reasons: Sequence[str], stage: str = "score") -> None:
        for reason in reasons:
            self.rejects.labels(stage, reason).inc()

    def read(self, partition: int, newest_ms: int, source: str) -> None:
        if newest_ms > self._newest.get(partition, (0, ""))[0]:
            self._newest[partition] = newest_ms, source
            self.newest_seen.labels(str(partition)).set(newest_ms / 1000)

    def watched(self, partition: int, watermark_ms: int | None, series: int, dropped: int) -> None:
        label = str(partition)
        self._shown.add(partition)
        if watermark_ms is not None:
            self._watermarks_ms[partition] = watermark_ms
            self.watermark.labels(label).set(watermark_ms / 1000)
        self.series.labels(label).set(series)
        self.mentions_dropped.labels(label).set(dropped)

    def alerted(self, event: AlertEvent, newest_seen_ms: int | None) -> None:
        self.alerts.labels(event.signal, event.rule, event.change, event.severity).inc()
        if newest_seen_ms is not None:
            self.alert_latency.observe_many([max(0.0, (self._clock() - newest_seen_ms) / 1000)])

    def notified(self, channel: str, result: str) -> None:
        self.notifications.labels(channel, result).inc()

    def forgot(self, partition: int) -> None:
        """The partition went to another process, which shows it from now on."""
        if partition not in self._shown:
            return
        self._shown.discard(partition)
        for gauge in (self.series, self.mentions_dropped):
            gauge.remove(str(partition))
        if self._watermarks_ms.pop(partition, None) is not None:
            self.watermark.remove(str(partition))

    @property
    def watermark_ms(self) -> int | None:
        """The earliest watermark of the partitions here; None before the first."""
        return min(self._watermarks_ms.values(), default=None)

    @property
    def farthest_ms(self) -> int | None:
        """The latest watermark of the partitions here; None before the first."""
        return max(self._watermarks_ms.values(), default=None)

    @property
    def newest(self) -> tuple[int, str]:
        """The latest `seen` of an item scored here (ms) and the item's source; 0 before the first."""
        return max(self._newest.values(), default=(0, ""))

    def loaded(self, classifiers: Mapping[str, Classifier]) -> None:
        """Shows which classifier speaks which language."""
        self.model_info.clear()
        for language, classifier in classifiers.items():
            self.model_info.labels(language, classifier.name, classifier.version).set(1)


class _WithoutCreated:
    """A registry's metrics without the `_created` series, which double the output and say little."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def exposition(registry: CollectorRegistry) -> bytes:
    """The registry in Prometheus' text format."""
    return generate_latest(_WithoutCreated(registry))
