"""What /metrics says: names as Prometheus wants them, one registry each, no half-told series."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from models import NullClassifier
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record, Run
from streams.observe.archive import observed_archive
from streams.observe.classifier import ObservedClassifier
from streams.observe.lag import LagCollector
from streams.observe.metrics import Metrics, exposition
from streams.observe.stage import ObservedStage
from tests.alerts.delivery_event import delivery_event
from tests.observe.watched import NOW_MS, Clock, ToldStage, metrics_of, run_of, sample, troubles_of
from tests.system_needs import find_promtool


async def used() -> Metrics:
    """Metrics in which every figure has been touched."""
    clock = Clock()
    metrics = metrics_of(clock)
    troubles = troubles_of(metrics, clock)
    stage = ObservedStage("score", ToldStage([ValueError("no")]), metrics, troubles, clock=clock)
    with pytest.raises(ValueError, match="no"):
        await stage.handle(run_of(0, 3))
    await stage.handle(run_of(0, 3))
    archive, _ = observed_archive(MemoryArchive(), metrics, troubles, clock)
    await archive.write_items([])
    await archive.write_alerts([])
    await archive.record_notifications([])
    classifier = ObservedClassifier(NullClassifier({"sentiment": ("negative", "neutral", "positive")}), metrics)
    classifier.classify(["a", "b"])
    metrics.loaded({"en": classifier})
    metrics.rejected(["bad_json", "bad_json", "no_title"])
    metrics.watched(0, NOW_MS - 40_000, 17, 2)
    metrics.alerted(delivery_event("a"), NOW_MS - 20_000)
    metrics.notified("terminal", "delivered")
    metrics.feed_polls.labels("new").inc()
    LagCollector(lambda: [("g", "news", 0, 5), ("g", "news", 1, 0)], metrics.registry)
    return metrics


async def test_promtool_finds_nothing_to_say() -> None:
    promtool = find_promtool()
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus, or https://prometheus.io/download")
    text = exposition((await used()).registry)
    said = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, b"")


async def test_every_figure_has_its_documented_type_and_no_creation_times() -> None:
    text = exposition((await used()).registry).decode()
    types = dict(re.findall(r"^# TYPE (moodwire_\S+) (\S+)$", text, flags=re.MULTILINE))
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in types.items())
    assert "_created" not in text
    assert {"moodwire_consumer_lag_records", "moodwire_build_info", "moodwire_archive_latency_seconds"} <= types.keys()
    assert "process_resident_memory_bytes" in text


async def test_figures_say_what_happened() -> None:
    metrics = await used()
    assert sample(metrics, "records_total", stage="score") == 3
    assert sample(metrics, "retries_total", stage="score", reason="error") == 1
    assert sample(metrics, "rejects_total", stage="score", reason="bad_json") == 2
    assert sample(metrics, "inference_texts_total", model="null") == 2
    assert sample(metrics, "watermark_timestamp_seconds", partition="0") == (NOW_MS - 40_000) / 1000
    assert sample(metrics, "alert_latency_seconds_bucket", le="20.0") == 1
    assert sample(metrics, "alert_latency_seconds_bucket", le="10.0") == 0
    assert sample(metrics, "consumer_lag_records", group="g", topic="news", partition="0") == 5


async def test_a_partition_that_went_is_shown_no_more() -> None:
    metrics = await used()
    metrics.forgot(0)
    assert sample(metrics, "series", partition="0") is None
    assert metrics.watermark_ms is None
    metrics.forgot(0)


def test_two_processes_figures_in_one_test_do_not_meet() -> None:
    one, other = metrics_of(Clock()), metrics_of(Clock())
    one.stage("score").done(5, 0.1)
    assert sample(one, "records_total", stage="score") == 5
    assert sample(other, "records_total", stage="score") is None


class Unread(Sequence[Record]):
    """2,000 records of which only the first and the last may be looked at."""

    def __len__(self) -> int:
        return 2_000

    def __getitem__(self, index: Any) -> Any:
        assert index in (0, -1), "somebody looks at every record"
        return Record(index % 2_000, None, b"", NOW_MS)


async def test_watching_a_run_looks_at_no_record() -> None:
    clock = Clock()
    metrics = metrics_of(clock)
    stage = ObservedStage("score", ToldStage(), metrics, troubles_of(metrics, clock), clock=clock)
    await stage.handle(Run("news", 0, 1, "e", Unread(), 2_000))
    assert sample(metrics, "records_total", stage="score") == 2_000
