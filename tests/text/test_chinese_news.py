"""Chinese news through a profile of its own: names in running text, codes, watchlists, stories, and the archive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import NullClassifier
from streams.archive import open_archive
from streams.archive.protocol import Query
from streams.jobs.replay import replay_file
from streams.records import News
from streams.settings import Settings
from streams.stages.reader import TextReader
from streams.text.clean import clean_text
from streams.text.gazetteer import load_gazetteer
from streams.text.profile import load_profile
from streams.text.signature import normal_title, signature
from streams.text.stories import StoryIndex
from streams.text.watchlists import WatchlistMatcher, load_watchlists
from tests.text.chinese_profile import chinese_profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("zh")
    chinese_profile(made)
    return made


@pytest.fixture(scope="module")
def reader(folder: Path) -> TextReader:
    profile = load_profile(str(folder / "chinese"))
    return TextReader.build(profile, gazetteer=folder / "own.yaml", watchlists=folder / "watchlists.yaml")


def item(title: str, text: str = "") -> News:
    return News(id="1", content="1", title=title, text=text, source="wire", seen_ms=0)


@pytest.mark.parametrize(
    ("title", "want"),
    [
        ("贵州茅台股价盘中大跌，创近一年新低", {"600519"}),
        ("消息公布后宁德时代与比亚迪双双涨停", {"300750", "002594"}),
        ("传万科A拟发行公司债券", {"000002"}),
        ("传万 科Ａ拟发行公司债券", {"000002"}),
        ("分析师称TCL科技上半年净利润同比下滑", {"000100"}),
        ("XTCL科技是另一家企业", set()),
        ("中国平安与平安银行同日披露年报", {"601318", "000001"}),
        # Codes: with or without a space, in brackets, but not within a longer number.
        ("白酒龙头600519.SH宣布提价", {"600519"}),
        ("电池龙头（300750.SZ）扩产", {"300750"}),
        ("白酒龙头（上交所：600519）宣布提价", {"600519"}),
        ("文件1600519.SH已归档", set()),
        ("文件600519.SHA已归档", set()),
        ("编号600519的文件已归档", set()),
        # A name that is also a word needs evidence near it.
        ("北方一家工厂引进新的生产线和机器人", set()),
        ("机器人股份发布年报", {"300024"}),
        ("机器人（300024）发布年报", {"300024"}),
        ("控股股东拟减持机器人", {"300024"}),
        ("机器人大会开幕，多家企业股价上扬", set()),
    ],
)
def test_names_and_codes_in_running_text(reader: TextReader, title: str, want: set[str]) -> None:
    read = reader.read(item(title))
    assert read.language == "zh"
    assert {entity.id for entity in read.entities} == want


def test_evidence_far_away_proves_nothing(reader: TextReader) -> None:
    far = "本届展会上机器人表演了书法与舞蹈，引来大批市民围观拍照，现场秩序井然，明年还将举办，另据报道，某企业公告"
    assert reader.read(item("展会开幕", far)).entities == ()


def test_a_name_has_its_place_in_the_title(reader: TextReader) -> None:
    (entity,) = reader.read(item("午后贵州茅台股价跳水")).entities
    assert (entity.name, entity.place) == ("贵州茅台", (2, 6))


@pytest.mark.parametrize(
    ("title", "want"),
    [
        ("高端茅台批价回落", ("白酒",)),
        ("龙头600519.SH宣布提价", ("白酒",)),
        ("控股股东拟减持不超过百分之二", ("减持",)),
        ("控股股东终止减持计划", ()),
        ("宁德时代午后涨停", ("电池",)),
        ("宁德时代午后走低", ()),
        ("机构看好BYD新车型", ("byd",)),
        ("机构看好BYDX新车型", ()),
    ],
)
def test_watchlists_in_running_text(reader: TextReader, title: str, want: tuple[str, ...]) -> None:
    assert reader.read(item(title)).watchlists == want


def test_a_watchlist_is_spelt_as_texts_are_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "lists.yaml"
    path.write_text("watchlists: [{name: a, names: [万科Ａ], terms: [ﬁrm]}]", encoding="utf-8")
    matcher = WatchlistMatcher(load_watchlists(path))
    assert matcher.match(clean_text("传万科Ａ发债", 99), "", (), "x") == ("a",)
    assert matcher.match(clean_text("A ﬁrm stand", 99), "", (), "x") == ("a",)


def test_stories_part_at_opposites_without_spaces() -> None:
    index = StoryIndex(9, [("上涨", "下跌")])
    one, other, copy = (
        "早盘白酒板块整体上涨成交放量",
        "早盘白酒板块整体下跌成交放量",
        "早盘白酒板块整体上涨，成交放量！",
    )
    assert index.assign("1", normal_title(one), 0).id == "1"
    assert index.assign("2", normal_title(other), 1).id == "2"
    assert index.assign("3", normal_title(copy), 2).id == "1"


def test_numbers_in_titles_without_spaces_stay_whole() -> None:
    assert normal_title("TCL科技涨5.5%至¥1,200") == ["tcl", "科", "技", "涨", "5.5", "至", "¥1,200"]
    assert signature("净利润增长12%") == signature("净利润增长12％！")
    index = StoryIndex(9)
    assert index.assign("1", normal_title("贵州茅台前三季度净利润同比增长12%"), 0).id == "1"
    assert index.assign("2", normal_title("贵州茅台前三季度净利润同比增长21%"), 1).id == "2"


def test_a_long_text_without_spaces_is_cut_where_the_limit_is() -> None:
    assert clean_text("开 " + "股" * 500, 100) == "开 " + "股" * 98
    assert clean_text("股价 Apple and more", 6) == "股价"


def test_the_exchanges_list_is_read_with_its_own_columns(shared_data: Path) -> None:
    columns = {"id": "stock_code", "name": "short_name", "tickers": "stock_code"}
    issuers = {one.id: one for one in load_gazetteer(shared_data / "gazetteers" / "a_shares.csv", columns)}
    assert len(issuers) > 5_000
    assert issuers["600519"].names == ("贵州茅台",)
    assert issuers["000002"].names == ("万科A", "万 科A")


NEWS = [
    "贵州茅台股价盘中大跌创近一年新低",
    "宁德时代午后涨停带动电池板块",
    "白酒龙头600519.SH宣布提价",
    "分析师称TCL科技上半年净利润同比下滑",
    "Apple供应链企业股价普遍走低",
]


async def test_from_a_feed_to_the_archive(folder: Path, tmp_path: Path) -> None:
    feed = tmp_path / "news.ndjson"
    lines = [
        {
            "title": title,
            "source": "证券报",
            "published": f"2024-03-0{day}T01:00:00Z",
            "url": f"https://example.org/{day}",
        }
        for day, title in enumerate(NEWS, 1)
    ]
    feed.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    settings = Settings(
        data_dir=tmp_path / "data",
        profile=str(folder / "chinese"),
        watchlists=folder / "watchlists.yaml",
        namespace="replay-news",
    )
    classifier = NullClassifier({"sentiment": ("negative", "neutral", "positive"), "topic": ("公告", "行情")})
    report = await replay_file(settings, feed, classifiers={"zh": classifier}, channels=())
    assert (report.archived, report.rejected) == (len(NEWS), 0)

    archive = open_archive(settings.archive)

    async def titles(**asked: str) -> list[str]:
        return [hit.snippet for hit in await archive.search(Query(**asked))]  # type: ignore[arg-type]

    assert await titles(text="股价") == ["Apple供应链企业«股价»普遍走低", "贵州茅台«股价»盘中大跌创近一年新低"]
    assert await titles(text="apple 股价") == ["«Apple»供应链企业«股价»普遍走低"]
    assert await titles(text="600519.sh") == ["白酒龙头«600519».«SH»宣布提价"]
    assert await titles(series="entity/600519") == [NEWS[2], NEWS[0]]
    assert await titles(series="watchlist/白酒") == [NEWS[2], NEWS[0]]
    assert await titles(series="watchlist/电池", language="zh") == [NEWS[1]]
    assert await titles(text="茅台", series="entity/600519") == ["贵州«茅台»股价盘中大跌创近一年新低"]
    await archive.close()
