"""The sample feed, item by item and as a file."""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from streams.sample.blemishes import blemishes
from streams.sample.crises import crisis_stories
from streams.sample.grammar import Grammar, load
from streams.sample.stories import Story, background_stories

__all__ = ["START", "generate", "lines", "write_sample"]

START = datetime(2025, 5, 5, tzinfo=UTC)
"""A Monday; no change of clocks in its two weeks."""

DAYS = 14
_SEED = 20
_REVISED = 0.02
_REWORDED = (("profit", "earnings"), ("beats", "tops"), ("slump", "dive"), ("raises", "lifts"), ("warns", "cautions"))


@dataclass(frozen=True, slots=True)
class _Report:
    """A story as one publisher tells it; `revises` is the number of the report that it corrects."""

    moment: datetime
    story: Story
    publisher: Mapping[str, Any]
    serial: int
    revises: int | None = None


def generate(seed: int = _SEED, start: datetime = START) -> Iterator[dict[str, Any]]:
    """Yields the sound items in order of time, each in its publisher's shape; the same for the same arguments."""
    for _, item in _items(seed, start):
        yield item


def lines(seed: int = _SEED, start: datetime = START) -> Iterator[bytes]:
    """Yields the lines of the NDJSON file: the items, and among them broken and odd records."""
    items = ((moment, json.dumps(item, ensure_ascii=False).encode()) for moment, item in _items(seed, start))
    odd = blemishes(start, DAYS, random.Random(seed + 1))  # noqa: S311  # chosen once, no secret
    for _, line in heapq.merge(items, odd, key=lambda pair: pair[0]):
        yield line + b"\n"


def write_sample(path: str | Path, seed: int = _SEED, start: datetime = START) -> int:
    """Writes the NDJSON file and returns how many lines it has."""
    count = 0
    with Path(path).open("wb") as file:
        for line in lines(seed, start):
            file.write(line)
            count += 1
    return count


def _items(seed: int, start: datetime) -> list[tuple[datetime, dict[str, Any]]]:
    rng = random.Random(seed)  # noqa: S311  # the feed is the same every time, no secret
    phrases = load("phrases.yaml")
    grammar = Grammar(phrases["symbols"], rng)
    stories = [
        *background_stories(start, DAYS, phrases, grammar, rng),
        *crisis_stories(start, grammar, phrases["tails"], rng),
    ]
    reports = sorted(_reports(stories, rng), key=lambda report: (report.moment, report.serial))
    last = start + timedelta(days=DAYS)
    return list(_numbered([report for report in reports if report.moment < last]))


def _reports(stories: list[Story], rng: random.Random) -> Iterator[_Report]:
    """Every story from its first publisher, then its copies and corrections."""
    publishers = load("publishers.yaml")
    shares = [publisher["share"] for publisher in publishers]
    serial = 0
    for story in stories:
        first = rng.choices(publishers, shares)[0]
        serial += 1
        yield _Report(story.moment, story, first, serial)
        if rng.random() < _REVISED:
            later = story.moment + timedelta(minutes=rng.randint(10, 90))
            serial += 1
            yield _Report(later, _revised(story), first, serial, revises=serial - 1)
        if rng.random() < story.copied:
            others = rng.sample([p for p in publishers if p is not first], rng.randint(1, 3))
            for publisher in others:
                serial += 1
                later = story.moment + timedelta(seconds=int(rng.expovariate(1 / 2400)) + 30)
                yield _Report(later, _copied(story, publisher, rng), publisher, serial)


def _revised(story: Story) -> Story:
    return replace(story, title=f"CORRECTED: {story.title}", summary=f"{story.summary} (Corrects a figure.)".strip())


def _copied(story: Story, publisher: Mapping[str, Any], rng: random.Random) -> Story:
    """The same title half of the time; else with a suffix, a prefix or another word."""
    title, draw = story.title, rng.random()
    if draw > 0.8:
        title = f"{title} - {publisher['name']}"
    elif draw > 0.65:
        title = f"UPDATE 1-{title}"
    elif draw > 0.5:
        for word, other in _REWORDED:
            title = title.replace(word, other, 1)
    return replace(story, title=title, summary=story.summary if rng.random() < 0.7 else "")


def _numbered(reports: list[_Report]) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Every publisher numbers its own items 1, 2, 3; a correction keeps the number of what it corrects."""
    counters: Counter[str] = Counter()
    numbers: dict[int, int] = {}
    for report in reports:
        name = report.publisher["name"]
        if report.revises is None:
            counters[name] += 1
            numbers[report.serial] = counters[name]
        number = numbers[report.serial if report.revises is None else report.revises]
        yield report.moment, _shaped(report, number)


def _shaped(report: _Report, number: int) -> dict[str, Any]:
    """The item as its publisher's feed writes it: four shapes, all of which the default field map reads."""
    story, publisher = report.story, report.publisher
    url = f"https://{publisher['domain']}/news/{number}"
    if publisher["shape"] == "rss":
        return {
            "guid": url,
            "headline": story.title,
            "description": f"<p>{story.summary}</p>" if story.summary else "",
            "pubDate": format_datetime(report.moment),
            "publisher": publisher["name"],
            "link": url,
            "lang": "en-GB" if story.language == "en" else story.language,
        }
    item: dict[str, Any] = {"id": number, "title": story.title, "language": story.language}
    if publisher["shape"] == "epoch":
        return {
            **item,
            "timestamp": int(report.moment.timestamp()),
            "text": story.summary,
            "feed": publisher["name"],
            "link": url,
        }
    item |= {"published": report.moment.isoformat().replace("+00:00", "Z"), "source": publisher["name"], "url": url}
    return item if publisher["shape"] == "short" else {**item, "summary": story.summary}
