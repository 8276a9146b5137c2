"""A profile of another field, two heads and two languages: from a feed to alerts, both archives, search and figures.

Nothing in the code knows it: it is a folder beside this file.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from alerts import AlertEvent
from alerts.delivery import render_plain
from models import NullClassifier
from streams.alert_rules import alert_config
from streams.app import STAGES, Pipeline
from streams.archive import open_archive
from streams.archive.protocol import Archive, Query
from streams.cli import app
from streams.cli import score as score_command
from streams.errors import SettingsError
from streams.jobs import replay as replay_job
from streams.namespaces import Kind
from streams.observe.metrics import exposition
from streams.observe.operations import Operations
from streams.settings import Settings
from streams.text.profile import load_profile

FOLDER = Path(__file__).parent / "service_desk"
LABELS = {"urgency": ("high", "low", "normal"), "matter": ("billing", "outage", "praise", "question")}
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 6


def classifiers() -> dict[str, NullClassifier]:
    return {language: NullClassifier(LABELS) for language in ("en", "zh")}


def _titles(template: str, *, urgent: bool) -> Iterator[str]:
    """Titles that the null classifier calls urgent, or not."""
    null = NullClassifier(LABELS)
    for number in range(100_000):
        title = template.format(number)
        if (null.classify([title])["urgency"][0].argmax() == 0) == urgent:
            yield title


def _lines() -> Iterator[dict[str, Any]]:
    """Calm days in two languages, then an hour in which one product breaks."""
    draw, calm = random.Random(5), _titles("Ticket {} about the router", urgent=False)
    for hour in range(DAYS * 24):
        for _ in range(draw.randint(0, 2)):
            moment = BEGIN + timedelta(hours=hour, minutes=draw.randint(0, 59))
            title = next(calm) if draw.random() < 0.8 else f"客户询问路由器的账单 {hour} {draw.randint(0, 99)}"
            yield _line(moment, title, "Router")
    burst = _titles("Modem report {}: no connection since this morning", urgent=True)
    for number in range(20):
        yield _line(BEGIN + timedelta(days=DAYS, minutes=2 * number), next(burst), "Modem")


def _line(moment: datetime, title: str, product: str) -> dict[str, Any]:
    language = "en" if title.isascii() else "zh"
    return {
        "title": title, "source": "desk north", "published": moment.isoformat(), "entities": [product],
        "language": language,
    }  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("elastic", marks=pytest.mark.integration)])
async def archived(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Archive, str]]:
    """The archive after the feed went through the whole pipeline, and what `/metrics` says of it."""
    elastic: dict[str, Any] = {}
    if request.param == "elastic":
        url, prefix = request.getfixturevalue("elastic_url"), request.getfixturevalue("elastic_prefix")
        elastic = {"archive_url": url, "archive_prefix": prefix, "archive_replicas": 0}
    settings = Settings(
        data_dir=tmp_path, namespace="desk", profile=str(FOLDER), terminal=False, http_port=0, **elastic
    )
    feed = tmp_path / "feed.ndjson"
    feed.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in sorted_lines()), encoding="utf-8")
    async with Operations(settings, (), kind=Kind.REPLAY) as operations:
        pipeline = Pipeline(settings, STAGES, classifiers(), (), operations=operations, kind=Kind.REPLAY)
        async with pipeline:
            report = await replay_job._play(pipeline, feed, 0.0, lambda _: None, lambda _: None)
        figures = exposition(operations.metrics.registry).decode()
    assert report.finished
    archive = open_archive(settings.archive, settings.elastic)
    await archive.refresh()
    yield archive, figures
    await archive.close()


def sorted_lines() -> list[dict[str, Any]]:
    return sorted(_lines(), key=lambda line: line["published"])


async def test_from_a_feed_to_alerts_archive_search_and_figures(archived: tuple[Archive, str]) -> None:
    archive, figures = archived
    lines = sorted_lines()
    assert (await archive.stats()).items == len({line["title"] for line in lines})
    assert await archive.unscored() == {}

    alerts = [AlertEvent.from_json(alert.body) for alert in await archive.alerts(limit=100)]
    assert [(one.signal, one.series) for one in alerts if one.kind == "product"] == [("urgent", "product/Modem")]
    (modem,) = [one for one in alerts if one.kind == "product"]
    assert modem.observed.hits >= 3
    assert "urgent in" in modem.reasons[0]
    wording = load_profile(str(FOLDER)).wording
    assert f"{modem.observed.hits} urgent in" in render_plain(modem, wording=wording) or modem.change == "resolved"
    assert 'moodwire_alerts_total{change="opened"' in figures
    assert 'signal="urgent"' in figures

    end_ms = int((BEGIN + timedelta(days=DAYS + 1)).timestamp() * 1000)
    (bucket,) = await archive.rates("product/Modem", "urgent", 0, end_ms, end_ms)
    assert (bucket.total, bucket.hits) == (20, 20)
    assert bucket.mean_score is not None
    top = await archive.top("product", "urgent", 0, end_ms)
    assert (top[0].name, top[0].hits) == ("Modem", 20)
    assert {one.name for one in await archive.top("matter", "trouble", 0, end_ms)} <= set(LABELS["matter"])

    hits = await archive.search(Query(text="modem connection", series="product/Modem", label=("urgency", "high")))
    assert len(hits) == 20
    item = hits[0].item
    assert set(item.heads) == {"urgency", "matter"}
    assert sum(item.heads["matter"].probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert set(item.series) == {"everyone", "desk/desk north", f"matter/{item.heads['matter'].label}", "product/Modem"}
    assert all(hit.item.language == "zh" for hit in await archive.search(Query(text="账单")))
    assert await archive.search(Query(text="账单", label=("urgency", "none of these"))) == []


def test_score_shows_its_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_command, "classifiers_of", lambda settings, profile: classifiers())
    shown = CliRunner().invoke(app, ["score", "No connection since this morning", "--profile", str(FOLDER)])
    assert shown.exit_code == 0, shown.output
    assert "urgency" in shown.output
    assert "matter" in shown.output
    spoken = CliRunner().invoke(app, ["score", "客户询问路由器的账单", "--profile", str(FOLDER), "--json"])
    record = json.loads(spoken.output)
    assert (record["language"], set(record["heads"])) == ("zh", {"urgency", "matter"})


def test_one_line_adds_a_signal(tmp_path: Path) -> None:
    """Each is watched with its part of the false alarms; without the line all are."""
    shutil.copytree(FOLDER, tmp_path / "desk")
    rules = tmp_path / "desk" / "alerts.yaml"
    one = alert_config(Settings(data_dir=tmp_path), load_profile(str(FOLDER)))
    for line in ("signals: [urgent, trouble]", ""):
        rules.write_text((FOLDER / "alerts.yaml").read_text().replace("signals: [urgent]", line))
        both = alert_config(Settings(data_dir=tmp_path), load_profile(str(tmp_path / "desk")))
        assert both.signals == ("urgent", "trouble")
        assert both.false_alarms_per_week == one.false_alarms_per_week / 2
        assert both.wording.signal("trouble") == "about trouble"


WRONG = [
    ("heads", {}, r"heads: is empty"),
    ("signals", {"urgent": {"head": "urgencie", "labels": ["high"]}}, r"signals\.urgent\.head: .*mean 'urgency'"),
    ("signals", {"urgent": {"head": "urgency", "labels": ["hihg"]}}, r"signals\.urgent\.labels: .*mean 'high'"),
    ("signals", {"urgent": {"head": "urgency", "labels": []}}, r"signals\.urgent\.labels: is empty"),
    (
        "signals",
        {"urgent": {"head": "urgency", "labels": ["high"], "least": 2}},
        r"signals\.urgent\.least: take a number above 0 to 1, not '2'",
    ),
    ("signals", {"a/b": {"head": "urgency", "labels": ["high"]}}, r"signals\.a/b: is no name"),
    ("series", {"matter": {"of": "labels"}}, r"series\.matter\.head: .*needs it"),
    ("series", {"matter": {"of": "labels", "head": "mater"}}, r"series\.matter\.head: .*mean 'matter'"),
    ("heads", {"urgency": {"labels": ["a", "a"]}}, r"heads\.urgency\.labels: names a label twice"),
    (
        "heads",
        {"urgency": {"labels": ["a"], "values": {"a": 3}}},
        r"heads\.urgency\.values\.a: take a number from -1 to 1, not '3'",
    ),
    ("messages", "xx", r"messages: there are none in 'xx'; take one of en"),
]


@pytest.mark.parametrize(("key", "value", "match"), WRONG)
def test_what_does_not_fit_together_is_named_with_the_fix(tmp_path: Path, key: str, value: Any, match: str) -> None:
    shutil.copytree(FOLDER, tmp_path / "desk")
    path = tmp_path / "desk" / "profile.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {key: value}))
    with pytest.raises(SettingsError, match=rf"profile\.yaml:[0-9]+: {match}"):
        load_profile(str(tmp_path / "desk"))


@pytest.mark.parametrize(
    ("line", "match"),
    [("signals: [urgnet]", "signals: .*mean 'urgent'"), ("signals: []", "signals: is empty; list some of urgent")],
)
def test_rules_that_watch_what_the_profile_lacks_are_refused(tmp_path: Path, line: str, match: str) -> None:
    shutil.copytree(FOLDER, tmp_path / "desk")
    rules = tmp_path / "desk" / "alerts.yaml"
    rules.write_text(rules.read_text().replace("signals: [urgent]", line))
    with pytest.raises(SettingsError, match=rf"alerts\.yaml:[0-9]+: {match}"):
        alert_config(Settings(data_dir=tmp_path), load_profile(str(tmp_path / "desk")))
