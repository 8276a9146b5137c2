"""Every search that the dashboards would send, sent to the real Elasticsearch over documents that the archive wrote."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from streams.archive import open_archive
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import StoredAlert, StoredNotification
from streams.records import EntityMention, HeadScore, News, Position, Scored, Story
from tests.deploy.kibana_objects import fields_of, layers_of, query_of, read_objects, search_of
from tests.deploy.test_kibana_objects import FILE, data_view_of
from tests.stages.finance_items import counted, sentiment

pytestmark = pytest.mark.integration

OBJECTS = read_objects(FILE)
LENSES = {each["id"]: each for each in OBJECTS if each["type"] == "lens"}
NOW_MS = 1_767_225_600_000  # 2026-01-01
MINUTE_MS = 60_000
LABELS = ("negative", "neutral", "positive")
TOPICS = ("earnings", "regulation", "markets")
COMPANIES = (("HGB", "Harrowgate Bancorp"), ("LMR", "Larkmoor"), ("TND", "Tindale Foods"))
ITEMS = 300
CHINESE = "贵州茅台股价大跌"


def scored(number: int) -> Scored:
    """Item `number`: what it says follows from its number, so that a test can count without the archive."""
    label, topic, company = LABELS[number % 3], TOPICS[number % 5 % 3], COMPANIES[number % 7 % 3]
    spoken = number % 10 != 9  # every tenth is of a language without a classifier
    shares = {each: 0.9 if each == label else 0.05 for each in LABELS}
    heads = {"sentiment": sentiment(label, **shares), "topic": HeadScore(topic, 0.5 + number % 50 / 100)}
    item = Scored(
        news=News(
            id=f"item-{number}", content="c", title=f"{company[1]} has news {number}", source=f"wire {number % 4}",
            seen_ms=NOW_MS - number * MINUTE_MS, url=f"https://example.org/{number}",
        ),
        position=Position("epoch", 0, number),
        scored_ms=NOW_MS,
        language="en" if spoken else "fi",
        heads=heads if spoken else {},
        series={},
        entities=(EntityMention(*company, relevance=1.0),),
        watchlists=("my bank",) if company[0] == "HGB" else (),
        story=Story(f"story-{number}"),
        signature=f"{number:016x}",
        model="small" if spoken else "",
        model_version=("1" if number < 200 else "2") if spoken else "",
        late=number % 50 == 0,
    )  # fmt: skip
    return counted(item)


def alert(number: int, state: str, severity: str) -> StoredAlert:
    return StoredAlert(
        f"alert-{number}", 1, "negative", "share", "entity/HGB", state, severity, NOW_MS, NOW_MS + number,
        b'{"observed":{"hits":%d,"total":40}}' % (10 + number),
    )  # fmt: skip


ALERTS = (alert(0, "firing", "warning"), alert(1, "escalated", "critical"), alert(2, "resolved", "warning"))

NOTIFICATIONS = (
    StoredNotification("n-0", "alert-0", 1, "webhook", "sent", 1, NOW_MS, NOW_MS, "", 1),
    StoredNotification("n-1", "alert-1", 1, "webhook", "failed", 1, NOW_MS, NOW_MS, "refused: 410 Gone", 1),
)


@dataclass
class Served:
    """Documents on a server, and how a dashboard asks for them."""

    client: httpx.Client
    prefix: str

    def ask(self, saved: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        index = data_view_of(saved).replace("moodwire-", self.prefix, 1)
        answer = self.client.post(f"/{index}/_search", json=body)
        assert answer.status_code == 200, f"{saved['id']}: {answer.text}"
        found: dict[str, Any] = answer.json()
        assert found["_shards"]["failed"] == 0, f"{saved['id']}: {found}"
        return found

    def look(self, lens_id: str) -> dict[str, Any]:
        lens = LENSES[lens_id]
        ((_, layer),) = layers_of(lens)
        return self.ask(lens, search_of(layer, query_of(lens["attributes"]["state"]["query"]["query"])))


@pytest.fixture(scope="module")
def served(elastic_url: str) -> Iterator[Served]:
    """One set of documents for the whole file: no test changes them."""
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    asyncio.run(write(elastic_url, prefix))
    with httpx.Client(base_url=elastic_url, timeout=60) as client:
        client.post(f"/{prefix}*/_refresh").raise_for_status()
        yield Served(client, prefix)
        for path in (f"/{prefix}*?expand_wildcards=all", f"/_index_template/{prefix}*"):
            client.delete(path).raise_for_status()


async def write(url: str, prefix: str) -> None:
    archive = open_archive(url, ElasticOptions(prefix=prefix, replicas=0))
    try:
        await archive.write_items([scored(number) for number in range(ITEMS)])
        await archive.write_alerts(ALERTS)
        await archive.record_notifications(NOTIFICATIONS)
    finally:
        await archive.close()


def expected(key: Any, *, only: Any = lambda item: True) -> dict[str, tuple[int, int]]:
    """(all, negative) by a key of the items, counted here."""
    total: Counter[str] = Counter()
    negative: Counter[str] = Counter()
    for item in (scored(number) for number in range(ITEMS)):
        if only(item) and (name := key(item)):
            total[name] += 1
            negative[name] += bool(item.heads) and item.heads["sentiment"].label == "negative"
    return {name: (total[name], negative[name]) for name in total}


def by_bucket(bucket: dict[str, Any], parts: tuple[str, str]) -> tuple[int, int]:
    """(all, negative) over the buckets of time inside one bucket."""
    times = bucket["when"]["buckets"]
    return (sum(each[parts[1]]["doc_count"] for each in times), sum(each[parts[0]]["doc_count"] for each in times))


def test_every_search_of_every_object_is_answered(served: Served) -> None:
    for lens_id in LENSES:
        found = served.look(lens_id)
        assert found["hits"]["total"]["value"] > 0, f"{lens_id} shows nothing"
        for name, answer in found["aggregations"].items():
            assert answer.get("buckets", True), f"{lens_id}: {name} has no bucket"
    for saved in OBJECTS:
        if saved["type"] == "search":
            ((field, order),) = saved["attributes"]["sort"]
            body = {"sort": [{field: order}], "query": {"match_all": {}}, "fields": sorted(fields_of(saved))}
            found = served.ask(saved, body)
            returned = {name for hit in found["hits"]["hits"] for name in hit["fields"]}
            assert fields_of(saved) - {"moodwire.notification.problem"} <= returned, saved["id"]


def test_rates_by_topic_and_company_are_the_true_ones(served: Served) -> None:
    topics = (served.look("moodwire-negative-rate-by-label"))["aggregations"]["label"]["buckets"]
    found = {bucket["key"]: by_bucket(bucket, ("rateX0", "rateX1")) for bucket in topics}
    assert found == expected(lambda item: item.heads and item.heads["topic"].label)
    companies = (served.look("moodwire-negative-rate-by-entity"))["aggregations"]["entity"]["buckets"]
    found = {bucket["key"]: by_bucket(bucket, ("rateX0", "rateX1")) for bucket in companies}
    assert found == expected(lambda item: item.entities[0].name)
    negatives = [bucket["ranking"]["value"] for bucket in companies]
    assert negatives == sorted(negatives, reverse=True)


def test_tables_rank_by_negative_items(served: Served) -> None:
    rows = (served.look("moodwire-negative-top-entities"))["aggregations"]["entity"]["buckets"]
    found = {row["key"]: (row["n"]["doc_count"], row["bad"]["doc_count"]) for row in rows}
    assert found == expected(lambda item: item.entities[0].name)
    assert [row["bad"]["doc_count"] for row in rows] == sorted((row["bad"]["doc_count"] for row in rows), reverse=True)
    lists = (served.look("moodwire-negative-watchlists"))["aggregations"]["list"]["buckets"]
    assert [row["key"] for row in lists] == ["my bank"]


async def test_words_that_run_together_are_found_as_pairs(elastic_url: str, elastic_prefix: str) -> None:
    """As the runbook describes for KQL: `moodwire.words : 股价`, or no field; the field `message` has the whole run."""
    archive = open_archive(elastic_url, ElasticOptions(prefix=elastic_prefix, replicas=0))
    item = scored(0)
    await archive.write_items([msgspec.structs.replace(item, news=msgspec.structs.replace(item.news, title=CHINESE))])
    await archive.refresh()
    await archive.close()
    pairs = [{"match": {"moodwire.words": pair}} for pair in ("茅台", "台股", "股价")]
    anywhere = {"multi_match": {"type": "best_fields", "query": "股价", "lenient": True}}
    asked = {"pair": pairs[2], "pairs": {"bool": {"filter": pairs}}, "anywhere": anywhere}
    async with httpx.AsyncClient(base_url=elastic_url, timeout=60) as client:
        for name, query in (asked | {"message": {"match": {"message": "股价"}}}).items():
            answer = (await client.post(f"/{elastic_prefix}items/_count", json={"query": query})).json()
            assert answer["count"] == (name != "message"), (name, answer)


def test_model_health_counts_every_item_once(served: Served) -> None:
    scores = (served.look("moodwire-scores"))["aggregations"]["score"]["buckets"]
    assert sum(bucket["doc_count"] for bucket in scores) == ITEMS * 9 // 10
    unscored = (served.look("moodwire-unscored"))["aggregations"]
    assert (unscored["rateX0"]["doc_count"], unscored["rateX1"]["doc_count"]) == (ITEMS // 10, ITEMS)
    late = (served.look("moodwire-late"))["aggregations"]
    assert late["rateX0"]["doc_count"] == ITEMS // 50
    models = (served.look("moodwire-models"))["aggregations"]["version"]["buckets"]
    found = {bucket["key"]: bucket["doc_count"] for bucket in models}
    assert (found["1"], found["2"]) == (180, 90)
    certainty = (served.look("moodwire-certainty"))["aggregations"]["when"]["buckets"]
    assert all(0.5 <= bucket["middle"]["values"]["50.0"] <= 1 for bucket in certainty if bucket["doc_count"] > 5)


def test_alerts_are_shown_as_they_stand(served: Served) -> None:
    assert (served.look("moodwire-open-alerts"))["aggregations"]["n"]["doc_count"] == 2
    (row,) = (served.look("moodwire-alerts-by-series"))["aggregations"]["series"]["buckets"]
    assert (row["key"], row["n"]["doc_count"], row["most"]["value"]) == ("entity/HGB", 3, 12.0)
    problems = next(each for each in OBJECTS if each["id"] == "moodwire-notification-problems")
    found = served.ask(problems, {"query": query_of("event.kind : alert")})
    assert [hit["_source"]["moodwire"]["notification"]["problem"] for hit in found["hits"]["hits"]] == [
        "refused: 410 Gone"
    ]
