"""Names in Korean, whose particles follow a word without a space, and in Thai, which has no spaces between words."""

from __future__ import annotations

import pytest

from streams.records import News
from streams.scripts import continues
from streams.stages.reader import TextReader
from streams.text.profile import load_profile
from streams.text.watchlists import Watchlist, WatchlistMatcher

PROFILE = """
name: own
default_language: ko
languages: {ko: {gazetteer: names.yaml}, th: {words: characters, gazetteer: names.yaml}}
heads: {mood: {labels: [bad, good]}}
signals: {bad: {head: mood, labels: [bad]}}
series: {all: {of: everything}}
"""
NAMES = """
entities:
  - {id: SEC, name: 삼성전자, aliases: [Samsung]}
  - {id: HMC, name: 현대 자동차}
  - {id: KBANK, name: ธนาคารกสิกรไทย}
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> TextReader:
    folder = tmp_path_factory.mktemp("own")
    (folder / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "alerts.yaml").write_text("version: 1\nkinds: {all: {budget_share: 1}}\n", encoding="utf-8")
    (folder / "names.yaml").write_text(NAMES, encoding="utf-8")
    return TextReader.build(load_profile(str(folder)))


def named(reader: TextReader, language: str, title: str) -> set[str]:
    news = News(id="1", content="1", title=title, text="", source="wire", seen_ms=0, language=language)
    return {one.id for one in reader.read(news).entities}


@pytest.mark.parametrize(
    ("language", "title", "want"),
    [
        ("ko", "삼성전자가 사상 최대 이익을 냈다", {"SEC"}),
        ("ko", "정부, 삼성전자와 현대 자동차를 조사", {"SEC", "HMC"}),
        ("ko", "Samsung의 이익", {"SEC"}),
        ("ko", "삼성 그룹", set()),
        ("th", "หุ้นธนาคารกสิกรไทยร่วงหนัก", {"KBANK"}),
        ("th", "ธนาคารล้มละลาย", set()),
    ],
)
def test_names_are_found_where_words_run_together(
    reader: TextReader, language: str, title: str, want: set[str]
) -> None:
    assert named(reader, language, title) == want


def test_watchlists_find_them_too() -> None:
    lists = [Watchlist("banks", names=("은행",)), Watchlist("thai", terms=("ล้มละลาย",))]
    matcher = WatchlistMatcher(lists)
    assert matcher.match("부산은행이 파산했다", "", (), "wire") == ("banks",)
    assert matcher.match("ธนาคารล้มละลายแล้ว", "", (), "wire") == ("thai",)


def test_other_scripts_keep_whole_words() -> None:
    assert continues("k", "s")
    assert continues("к", "и")
    assert not continues("k", "가")
    assert not continues("ย", "ร")
