"""Search in texts without spaces: every archive finds the same, by a rule that a reader can check by eye."""

from __future__ import annotations

import random
import re
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Archive, ArchiveError, ArchiveStats, Query
from streams.archive.schema import SCHEMA_VERSION
from streams.archive.sqlite import SqliteArchive
from streams.archive.words import marked, mixed_words, spread, words_of
from streams.records import Scored
from streams.scripts import PAIRED, is_paired
from tests.archive.test_archive_contract import archive, scored

__all__ = ["archive"]

PIECES = [
    "股价",
    "大跌",
    "贵州茅台",
    "价",
    "涨",
    "トヨタ",
    "の",
    "삼성전자",
    "가",
    "Apple",
    "bank",
    "A",
    "5",
    "600519.SH",
    "々",
]
GAPS = ["", "", "", " ", "，", "。", "-", "'"]


def text_of(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) + rng.choice(GAPS) for _ in range(rng.randint(1, 5)))


def item(number: int, title: str, text: str = "") -> Scored:
    made = scored(number, title=title or "-")
    return msgspec.structs.replace(made, news=msgspec.structs.replace(made.news, text=text))


RNG = random.Random(24)
CORPUS = [item(number, text_of(RNG), text_of(RNG) if number % 2 else "") for number in range(60)]
queries = st.lists(st.sampled_from([*PIECES, "跌", "台股", "ト", "apple", "无"]), max_size=3).flatmap(
    lambda pieces: st.sampled_from(GAPS).map(lambda gap: gap.join(pieces))
)


def expected(query: str, one: Scored) -> bool:
    """Words in either text, pairs of neighbours in either, single characters in either."""
    texts = (one.news.title, one.news.text)
    for run in re.findall(rf"[{PAIRED}]+|[^\W_{PAIRED}]+", query):
        if not is_paired(run[0]):
            parts = {word.lower() for text in texts for word in re.findall(rf"[^\W_{PAIRED}]+", text)}
            if run.lower() not in parts:
                return False
            continue
        pieces = [run[at : at + 2] for at in range(len(run) - 1)] or [run]
        if not all(any(piece in text for text in texts) for piece in pieces):
            return False
    return True


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries)
@example(query="大跌")
@example(query="价")
@example(query="茅台 Apple")
@example(query="贵州茅台股价大跌")
async def test_every_archive_finds_the_same(archive: Archive, query: str) -> None:
    if await archive.stats() == ArchiveStats(0, 0, 0):
        await archive.write_items(CORPUS)
    hits = await archive.search(Query(text=query, limit=100))
    assert [hit.item for hit in hits] == [one for one in reversed(CORPUS) if expected(query, one)]
    assert [hit.snippet for hit in hits] == [marked(hit.item.news.title, words_of(query)) for hit in hits]


texts = st.lists(st.sampled_from([*PIECES, *GAPS]), min_size=1, max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(texts, min_size=1, max_size=5), query=texts)
async def test_any_texts_are_found_alike_without_a_server(
    drawn: list[str], query: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    items = [item(number, text) for number, text in enumerate(drawn)]
    made: list[Archive] = [SqliteArchive(tmp_path_factory.mktemp("archive") / "a.db"), MemoryArchive()]
    for one in made:
        await one.write_items(items)
    found = [[hit.item.news.id for hit in await one.search(Query(text=query))] for one in made]
    assert found[0] == found[1] == [one.news.id for one in reversed(items) if expected(query, one)]
    for one in made:
        await one.close()


@pytest.mark.parametrize(
    ("query", "title", "snippet"),
    [
        ("股价", "贵州茅台股价大跌", "贵州茅台«股价»大跌"),
        ("茅台股价", "贵州茅台股价大跌", "贵州«茅台股价»大跌"),
        ("茅台 大跌", "贵州茅台股价大跌", "贵州«茅台»股价«大跌»"),
        ("跌", "下跌，跌停", "下«跌»，«跌»停"),
        ("Apple股价", "Apple股价大跌", "«Apple»«股价»大跌"),
        ("apple", "Apple股价大跌", "«Apple»股价大跌"),
        ("トヨタ", "トヨタの株価", "«トヨタ»の株価"),
        ("bank", "Bank run, no banks", "«Bank» run, no banks"),
        ("삼성전자", "삼성전자가 사상 최대 이익", "«삼성전자»가 사상 최대 이익"),
        ("은행 파산", "은행이 파산을 신청했다", "«은행»이 «파산»을 신청했다"),
    ],
)
def test_snippets_mark_what_matches(query: str, title: str, snippet: str) -> None:
    assert marked(title, words_of(query)) == snippet


def test_words_of_a_text_without_spaces_are_pairs_and_the_last_character() -> None:
    assert words_of("贵州茅台 SH，A股 贵州") == ["贵州", "州茅", "茅台", "sh", "a", "股"]
    assert spread("Apple股价大跌!") == "Apple 股价 价大 大跌 跌 !"
    assert mixed_words("Apple股价, up 5%", "涨") == "apple 股价 价 涨"
    assert mixed_words("삼성전자가 up") == "삼성 성전 전자 자가 가"


@pytest.mark.parametrize("text", ["Profit up 5%", "Profit up – it’s “good”", "Das Café grüßt", "", "ธนาคารล้ม"])
def test_a_text_with_spaces_is_indexed_as_it_is(text: str) -> None:
    assert spread(text) is text or spread(text) == text
    assert mixed_words(text, text) == ""


def test_a_long_run_costs_its_length() -> None:
    words = mixed_words("x" * 4_000 + "股" + "价" * 4_000)
    assert len(words.split()) == 4  # the run of letters, 股价, 价价, 价
    assert len(words_of("".join(chr(0x4E00 + number) for number in range(500)))) == 100


async def test_a_pruned_item_without_spaces_leaves_no_word(tmp_path: Path) -> None:
    made = SqliteArchive(tmp_path / "a.db")
    await made.write_items([item(1, "贵州茅台股价大跌", "Apple股价")])
    await made.prune(10**15)
    await made.close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'words', 'row')")
        assert db.execute("SELECT term FROM vocabulary").fetchall() == []


def test_an_older_archive_is_refused_with_the_way_to_start_afresh(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with pytest.raises(ArchiveError, match=r"a\.db has version .* move the file away .* `moodwire archive rebuild`"):
        SqliteArchive(tmp_path / "a.db")
