"""Who is named: companies with one id each, names that are words, a user's own lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import Reject, SettingsError
from streams.records import News
from streams.stages.reader import TextReader
from streams.text.gazetteer import load_gazetteer
from streams.text.profile import load_profile
from streams.text.watchlists import WatchlistMatcher, load_watchlists


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader.build(load_profile("finance"))


def item(title: str, text: str = "", **fields: object) -> News:
    return News(id="1", content="1", title=title, text=text, source="wire", seen_ms=0, **fields)  # type: ignore[arg-type]


def ids(reader: TextReader, title: str, text: str = "") -> set[str]:
    return {entity.id for entity in reader.read(item(title, text)).entities}


@pytest.mark.parametrize(
    ("title", "want"),
    [
        ("Goldman Sachs posts a smaller profit", {"GS"}),
        ("Broker upgrades $GS and $JPM", {"GS", "JPM"}),
        ("Lender in talks (NYSE: GS)", {"GS"}),
        ("Chip maker gains (NASDAQ:NVDA)", {"NVDA"}),
        ("Google parent Alphabet sued by regulators", {"GOOGL"}),
        ("GOOG.O rises after hours", {"GOOGL"}),
        ("Apple shares slide on weak outlook", {"AAPL"}),
        ("Apple pie contest draws thousands", set()),
        ("Target cuts profit forecast as shoppers hold back", {"TGT"}),
        ("Police name target of the inquiry", set()),
        ("A target on his back", set()),
        ("Visa applications from students drop", set()),
        ("Visa Inc. to buy a payments startup", {"V"}),
        ("Minding the gap on the platform", set()),
        ("Goldmans Sachsen wins the cup", set()),
        ("$ZZZZZ to the moon", set()),
        ("U.N. and U.K. officials meet over shares", set()),
        ("Target Practice Drill Alarms Police Chief", set()),
        ("Gap Between Rich and Poor Widens as Debt Grows", set()),
        ("Visa Deal Eases Travel for Students", set()),
        ("Regulators Approve Purchase of Apple Stock", {"AAPL"}),
    ],
)
def test_issuers(reader: TextReader, title: str, want: set[str]) -> None:
    assert ids(reader, title) == want


def test_the_title_is_more_relevant_than_the_text(reader: TextReader) -> None:
    entities = reader.read(item("Boeing delays a jet", "Rival analysts at Goldman Sachs saw it coming")).entities
    relevance = {entity.id: entity.relevance for entity in entities}
    assert relevance["BA"] == 1.0
    assert 0 < relevance["GS"] < 0.5


def test_entities_that_the_feed_names_come_first(reader: TextReader) -> None:
    entities = reader.read(item("Late again", entities=("Northern Air",))).entities
    assert [(entity.id, entity.relevance) for entity in entities] == [("Northern Air", 1.0)]


def test_an_empty_title_is_rejected(reader: TextReader) -> None:
    with pytest.raises(Reject, match="no_title"):
        reader.read(item("<p>\u200b</p>"))


def test_the_shipped_gazetteer_holds_issuers_once() -> None:
    shipped = load_profile("finance").gazetteer("en")
    assert shipped is not None
    issuers = load_gazetteer(Path(shipped.file))
    by_ticker = [ticker for issuer in issuers for ticker in issuer.tickers]
    assert len(issuers) > 4_000
    assert len(by_ticker) == len(set(by_ticker))
    assert not any("ETF" in name or "Warrant" in name for issuer in issuers for name in issuer.names)


def test_an_own_gazetteer_is_merged(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("entities:\n  - {id: HGB, name: Harrowgate Bancorp, aliases: [Harrowgate], tickers: [HGB]}\n")
    reader = TextReader.build(load_profile("finance"), gazetteer=path)
    assert ids(reader, "Harrowgate and Goldman Sachs settle") == {"HGB", "GS"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("entities:\n  - {id: A}\n", "name"),
        ("entities:\n  - {id: A, name: B, ticker: [A]}\n", "ticker"),
        ("entities:\n  - {id: A, name: B}\n  - {id: A, name: C}\n", "twice"),
        ("entities: [", "not YAML"),
    ],
)
def test_a_wrong_gazetteer_names_file_and_key(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=complaint) as error:
        load_gazetteer(path)
    assert "own.yaml" in str(error.value)


LISTS = """
watchlists:
  - name: svb
    names: [Silicon Valley Bank]
    aliases: [SVB]
    tickers: [SIVB]
  - name: chips without autos
    terms: [chip, semiconductor]
    not: [car]
  - name: bank and deposits
    terms: [bank]
    all: [deposits]
    title_only: true
  - name: goldman
    entities: [GS]
    ignore_sources: [blog]
"""


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> WatchlistMatcher:
    path = tmp_path_factory.mktemp("lists") / "lists.yaml"
    path.write_text(LISTS)
    return WatchlistMatcher(load_watchlists(path))


@pytest.mark.parametrize(
    ("title", "text", "want"),
    [
        ("SVB collapses", "", ("svb",)),
        ("svb is a postcode", "", ()),
        ("SILICON VALLEY BANK fails", "", ("svb",)),
        ("Halted: $SIVB", "", ("svb",)),
        ("Chip makers gain", "", ("chips without autos",)),
        ("Chipmakers gain", "", ()),
        ("A chip for phones", "", ("chips without autos",)),
        ("A chip for every car", "", ()),
        ("Semiconductor sales", "of car chips", ()),
        ("Bank loses deposits", "", ("bank and deposits",)),
        ("Bank in trouble", "deposits flee", ()),
        ("SVB’s bank run", "", ("svb",)),
    ],
)
def test_watchlists(matcher: WatchlistMatcher, title: str, text: str, want: tuple[str, ...]) -> None:
    assert matcher.match(title, text, (), "wire") == want


def test_watchlists_know_entities_and_sources(matcher: WatchlistMatcher) -> None:
    assert matcher.match("x", "", {"GS"}, "wire") == ("goldman",)
    assert matcher.match("x", "", {"GS"}, "blog") == ()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("lists: []", "watchlists"),
        ("watchlists: [{name: a, title-only: true, names: [x]}]", "did you mean 'title_only'"),
        ("watchlists: [{name: a}]", "nothing can match"),
        ("watchlists: [{name: a, names: [x]}, {name: a, names: [y]}]", "2 watchlists are called"),
        ("watchlists: [{name: a, names: x}]", "names"),
        ("watchlists: [{name: a, names: [' ']}]", "empty"),
        ("watchlists: [{name: 'a/b', names: [x]}]", "name"),
    ],
)
def test_a_wrong_watchlist_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "lists.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=complaint):
        load_watchlists(path)


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(SettingsError, match="take finance"):
        load_profile("nonsense")


@pytest.mark.parametrize(
    ("title", "want"),
    [
        # Common tokens and short names: the ticker or the legal form alone.
        ("Maker beats Q2 profit forecast", set()),
        ("Q2 revenue of $11.3M misses as sales slow", set()),
        ("Q2 Holdings, Inc. wins a bank", {"QTWO"}),
        ("$QTWO jumps", {"QTWO"}),
        ("US stocks: Nasdaq and Dow slip, shares of banks lead", set()),
        ("Small and Mid-cap shares rise, profits too", set()),
        ("$V and $W rise", {"V", "W"}),
        ("Visa (V) moves its office", {"V"}),
        ("Payments firm (NYSE: V) moves", {"V"}),
        ("Visa (NYSE: V) moves its office", {"V"}),
        ("Visa (W) moves its office", set()),
        # Numbers behind a name are a product's or a quarter's.
        ("Sales of the RTX 4090 beat forecast", set()),
        ("RTX to acquire a supplier of engines", {"RTX"}),
        ("Raytheon wins a contract", {"RTX"}),
        # Names of people, places and clubs.
        ("Manchester United’s players walk off", set()),
        ("Manchester United shares fall as bidder withdraws", {"MANU"}),
        ("Queues at the port of Dover after strike", set()),
        ("Dover Corporation lifts its dividend", {"DOV"}),
        ("Neiman Marcus files for bankruptcy, investors say", set()),
        ("Shares? No, says Robbie Williams as he sings with Zoe Cooper in the park", set()),
        ("Snap shares fall", {"SNAP"}),
        # Companies in the news that lists of securities do not name so.
        ("AIG in talks over a loan", {"AIG"}),
        ("Credit Suisse secures a lifeline", {"CS"}),
        ("First Republic leads a rout of regional banks", {"FRC"}),
        ("SVB depositors get their money", {"SIVB"}),
        ("Facebook parent Meta cuts its outlook", {"META"}),
        ("Huntington Bancshares raises capital", {"HBAN"}),
    ],
)
def test_names_that_are_common_words_need_a_ticker_or_evidence(reader: TextReader, title: str, want: set[str]) -> None:
    assert ids(reader, title) == want


def test_evidence_far_from_a_name_proves_nothing(reader: TextReader) -> None:
    far = "The ferry left Dover in the morning and came back at night, and nobody aboard had heard a word of the shares"
    assert ids(reader, "Rough crossing", far) == set()
    assert ids(reader, "Rough quarter", "The pump maker Dover says that profit fell") == {"DOV"}
