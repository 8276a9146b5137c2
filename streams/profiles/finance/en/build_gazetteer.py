"""Makes `gazetteer.csv` from lists of listed companies: common stock only, one id an issuer.

    python -m streams.profiles.finance.en.build_gazetteer GAZETTEERS TEXTS... > gazetteer.csv

GAZETTEERS is a folder with sp500.csv, nasdaq_listed.csv and nyse_listed.csv (symbol, name, …). TEXTS are NDJSON
streams (plain or .gz) whose titles and summaries tell which names are also words: a name that stands there
in lower case needs evidence. Only counts are taken from the texts. What neither tells stands in names.yaml.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec

from streams.text.profile import read_yaml

_NOT_STOCK = re.compile(
    r"\b(ETF|ETN|Fund|Warrants?|Rights?|Units?|Preferred|Preference|Notes?|Debentures?|Bonds?|Trust Units|Index|"
    r"Acquisition|SPAC|Municipal|Income Trust|Capital Securities|Subordinated|Due 20\d\d|Test Issue|"
    r"Depositary Shares? Each|Closed End|Beneficial Interests?|Leveraged|Ultra|Daily Target|2X|3X|Bull|Bear|"
    r"iShares|ProShares|Invesco|Vanguard|SPDR)\b|%",
    re.IGNORECASE,
)
# Closed-end funds and blank-check companies whose names carry no such word: a house of funds with a strategy behind
# it, and what is still looking for a company to buy.
_FUND = re.compile(
    r"^(?:BlackRock (?!Inc|TCP)|Nuveen (?!Churchill)|Eaton Vance |Western Asset |Destra |Gabelli |Royce |"
    r"Aberdeen (?!Group)|Cohen & Steers (?!Inc)|John Hancock |"
    r"Tortoise |Liberty All|Franklin Universal|Virtus (?!Investment Partners))|"
    r"Acquisitions?\b|acquisition Corp|\bMerger\b|\bGigCapital|Opportunit(?:y|ies) (?:Trust|Term|Vehicle|Corp)",
    re.IGNORECASE,
)
_PREFERRED = re.compile(r"[$^]")  # a ticker such as GAB$H
_SHARE_KIND = re.compile(
    r"\s*(?:[-,]\s*)?(?:\(?Class [A-Z]\)?,?\s*|Series [A-Z]\s*|New\s+|Registered\s+)?"
    r"(?:Voting |Non-Voting |Subordinate Voting )?"
    r"(?:Common (?:Stock|Shares?|Units?)|Ordinary Shares?|American Depositary (?:Shares?|Receipts?)|ADS|ADRs?|"
    r"Registry Shares?|Common|Capital Stock|(?<![A-Za-z])Shares)\b.*$",
    re.IGNORECASE,
)
_LEGAL = re.compile(
    r",?\s+(?:Inc|Incorporated|Corp|Corporation|Company|Companies|Co|Ltd|Limited|plc|PLC|N\.?V|S\.?A|S\.?E|AG|L\.?P|LLC|"
    r"S\.?p\.?A|A/S|ASA|AB|Holdings?|Group|Trust|REIT|The|& Co)\.?$",
)
_BRACKETS = re.compile(r"\s*\([^)]*\)")
_WORD = re.compile(r"[A-Za-z][\w&'.-]*")

_SHORTEST_NAME = 3
_FEWEST_TRUSTED = 3
"""A name of fewer characters needs evidence, whosever it is."""

_GENERIC = 5
"""A word in so many issuers' names (Bancorp, Pacific) names none of them."""


class _Gone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company that is listed no more; the first of its names is the one to show."""

    id: str
    names: tuple[str, ...]
    tickers: tuple[str, ...]


class _Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """names.yaml, which explains its keys."""

    also: dict[str, tuple[str, ...]]
    known: frozenset[str]
    short: frozenset[str]
    trusted: frozenset[str]
    tokens: frozenset[str]
    evidence: frozenset[str]
    uncut: dict[str, str]
    gone: tuple[_Gone, ...]


@dataclass
class _Issuer:
    ticker: str
    name: str
    large: bool
    aliases: set[str] = field(default_factory=set)
    tickers: list[str] = field(default_factory=list)


def main(folder: Path, texts: list[Path]) -> None:
    facts = msgspec.convert(read_yaml(Path(__file__).with_name("names.yaml")), _Facts)
    issuers = [*_listed(folder, facts), *_gone(facts)]
    _write(issuers, facts, _lower_case_counts(texts))


def _listed(folder: Path, facts: _Facts) -> Iterable[_Issuer]:
    """The issuers of the lists, each once, with the names in daily use."""
    issuers: dict[str, _Issuer] = {}
    by_ticker: dict[str, _Issuer] = {}
    for ticker, security, large in _securities(folder):
        name = _issuer_name(facts.uncut.get(ticker, security))
        if ticker in by_ticker and by_ticker[ticker].name.startswith(f"{name}-"):
            continue  # cut off at its hyphen
        if len(name) < _SHORTEST_NAME:
            continue
        issuer = by_ticker.get(ticker) or issuers.setdefault(
            _key(name), _Issuer(ticker, name, large or ticker in facts.known)
        )
        by_ticker[ticker] = issuer
        if ticker not in issuer.tickers:
            issuer.tickers.append(ticker)
        short = _short_name(name)
        if short != issuer.name and len(short) >= _SHORTEST_NAME:
            issuer.aliases.add(short)
    for ticker, names in facts.also.items():
        if ticker in by_ticker:
            by_ticker[ticker].aliases |= set(names) - {by_ticker[ticker].name}
    return issuers.values()


def _gone(facts: _Facts) -> Iterable[_Issuer]:
    for one in facts.gone:
        yield _Issuer(one.id, one.names[0], True, set(one.names[1:]), list(one.tickers))


def _securities(folder: Path) -> Iterator[tuple[str, str, bool]]:
    """(ticker, security's name, large) of every common stock, the large ones first."""
    for name, large in (("sp500.csv", True), ("nasdaq_listed.csv", False), ("nyse_listed.csv", False)):
        with (folder / name).open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            next(rows)
            for row in rows:
                if row and row[0].strip() and (large or _is_stock(row[0], row[1])):
                    yield row[0].strip(), row[1].strip(), large


def _is_stock(ticker: str, security: str) -> bool:
    return not (_NOT_STOCK.search(security) or _FUND.search(security.strip()) or _PREFERRED.search(ticker))


def _issuer_name(security: str) -> str:
    name = security.split(" - ", 1)[0]
    name = _SHARE_KIND.sub("", _BRACKETS.sub("", name)).strip(" ,-")
    return " ".join((name or security).split())


def _short_name(name: str) -> str:
    """Without legal form: Goldman Sachs Group, Inc. (The) is Goldman Sachs."""
    while True:
        shorter = _LEGAL.sub("", name).strip(" ,.&")
        if shorter == name or not shorter:
            return name.removeprefix("The ")
        name = shorter


def _key(name: str) -> str:
    return re.sub(r"\W", "", _short_name(name).casefold())


def _lower_case_counts(paths: Iterable[Path]) -> Counter[str]:
    """How often words and pairs of words stand in lower case in running text."""
    counts: Counter[str] = Counter()
    for path in paths:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
            for line in stream:
                item = json.loads(line)
                words = _WORD.findall(f"{item.get('title') or ''} {item.get('summary') or ''}")
                counts.update(word for word in words if word.islower())
                pairs = pairwise(words)
                counts.update(f"{one} {two}" for one, two in pairs if one.islower() and two.islower())
    return counts


def _needs_evidence(name: str, issuer: _Issuer, facts: _Facts, counts: Counter[str]) -> bool:
    """A name that stands in lower case is a word; a single word is taken on trust for a large company alone."""
    if name in facts.short or name in facts.trusted:
        return False
    if counts[name.casefold()] or name in facts.evidence or len(name) < _FEWEST_TRUSTED:
        return True
    if " " in name or "-" in name or name.isupper():
        return len(name) <= _SHORTEST_NAME and not issuer.large
    return not issuer.large or len(name) <= _SHORTEST_NAME


def _names(issuer: _Issuer, facts: _Facts, counts: Counter[str], generic: set[str]) -> list[str]:
    """The short name first; it is left out when it is a token, or one common word for a small company: it proves
    nothing.
    """
    name = _short_name(issuer.name)
    rest = sorted((issuer.aliases | {issuer.name}) - {name} - facts.tokens)
    if name in facts.tokens:
        return sorted(rest, key=lambda one: one != issuer.name) or [f"{name} {issuer.ticker}"]
    proves_nothing = name in generic or (not issuer.large and counts[name.casefold()] > 0)
    if " " not in name and proves_nothing:
        return [one for one in rest if one not in generic] or [f"{name} {issuer.ticker}"]
    return [name, *rest]


def _write(issuers: Iterable[_Issuer], facts: _Facts, counts: Counter[str]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["id", "name", "aliases", "tickers", "needs_evidence"])
    issuers = sorted(issuers, key=lambda one: one.ticker)
    shared = Counter(word for issuer in issuers for word in set(issuer.name.split()))
    generic = {word for word, count in shared.items() if count >= _GENERIC}
    for issuer in issuers:
        names = _names(issuer, facts, counts, generic)
        name = names[0]
        unsure = [one for one in names if _needs_evidence(one, issuer, facts, counts)]
        out.writerow([issuer.ticker, name, "|".join(names[1:]), "|".join(issuer.tickers), "|".join(unsure)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
