"""The sizing guide's tables follow from its inputs by its formulas."""

from __future__ import annotations

import math
import re

from tests.conftest import ROOT

GUIDE = (ROOT / "deploy" / "sizing.md").read_text()
OTHER_CORES = {100: 1 + 3 + 4, 1_000: 2 + 6 + 12, 10_000: 4 + 12 + 48}
HOURS = {100: 168, 1_000: 168, 10_000: 48}
DAYS = {100: 90, 1_000: 90, 10_000: 30}


def inputs() -> dict[str, float]:
    section = GUIDE.partition("## Inputs")[2].partition("\n## ")[0]
    return {name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", section, re.MULTILINE)}


def reckoned(rate: int) -> list[int]:
    given = inputs()
    busy = rate * (given["classify_ms"] + given["rest_ms"]) / 1000
    workers = math.ceil(busy / given["load"] / given["worker_cores"]) + int(given["spare_workers"])
    partitions = 2 ** math.ceil(math.log2(2 * workers))
    kafka = rate * given["broker_bytes"] * 3600 * HOURS[rate] * given["replicas"] * given["broker_headroom"] / 1e9
    day = rate * given["archive_bytes"] * 86_400 / 1e9
    elastic = day * DAYS[rate] * given["archive_copies"] * given["archive_headroom"]
    shards = math.ceil(day / given["shard_gb"])
    cores = workers * given["worker_cores"] + OTHER_CORES[rate]
    cost = cores * given["core_price"] + (kafka + elastic) * given["disk_price"]
    figures = (rate, workers, partitions, HOURS[rate], kafka, DAYS[rate], elastic, shards, cores, cost)
    return [round(figure) for figure in figures]


def rows() -> list[list[int]]:
    section = GUIDE.partition("## Result")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (1[0,]* \|.*) \|$", section, re.MULTILINE)
    return [[int(cell.replace(",", "")) for cell in line.split(" | ")] for line in lines]


def test_the_table_follows_from_the_inputs() -> None:
    assert rows() == [reckoned(rate) for rate in (100, 1_000, 10_000)]


def test_measured_bytes_are_those_of_the_table_above() -> None:
    names = "record of `news`|record of `scored`|its part of `mentions`|Elasticsearch 9.4"
    measured = dict(re.findall(rf"^\| ({names})[^|]*\| [\d,]+ \| ([\d,]+) \|", GUIDE, re.MULTILINE))
    figures = {name: int(value.replace(",", "")) for name, value in measured.items()}
    archive = figures.pop("Elasticsearch 9.4")
    assert len(figures) == 3
    assert inputs()["broker_bytes"] == sum(figures.values())
    assert inputs()["archive_bytes"] == archive


def test_the_words_have_the_tables_shards() -> None:
    assert f"set `MOODWIRE_ARCHIVE_SHARDS` to {reckoned(1_000)[7]}." in GUIDE
    assert f"days with {reckoned(10_000)[7]} shards" in GUIDE
