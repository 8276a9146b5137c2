"""Makes `gazetteer.csv` from lists of listed companies: common stock only, one id an issuer.

    python -m streams.profiles.finance.build_gazetteer GAZETTEERS TEXTS... > gazetteer.csv

GAZETTEERS is a folder with sp500.csv, nasdaq_listed.csv and nyse_listed.csv (symbol, name, …). TEXTS are NDJSON
streams (plain or .gz) whose titles and summaries tell which names are also words: a name that stands there
in lower case needs evidence. Only counts are taken from the texts.
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
    r"\s*(?:[-,]\s*)?(?:\(?Class [A-Z]\)?,?\s*|Series [A-Z]\s*|New\s+)?"
    r"(?:Voting |Non-Voting |Subordinate Voting )?"
    r"(?:Common (?:Stock|Shares?|Units?)|Ordinary Shares?|American Depositary (?:Shares?|Receipts?)|ADS|ADRs?|"
    r"Registry Shares?|Common|Capital Stock|Shares)\b.*$",
    re.IGNORECASE,
)
_LEGAL = re.compile(
    r",?\s+(?:Inc|Incorporated|Corp|Corporation|Company|Companies|Co|Ltd|Limited|plc|PLC|N\.?V|S\.?A|S\.?E|AG|L\.?P|LLC|"
    r"S\.?p\.?A|A/S|ASA|AB|Holdings?|Group|Trust|REIT|The|& Co)\.?$",
)
_BRACKETS = re.compile(r"\s*\([^)]*\)")
_WORD = re.compile(r"[A-Za-z][\w&'.-]*")

# Names in daily use that no list of securities holds.
_ALSO = {
    "GOOGL": ("Google",), "META": ("Facebook",), "JPM": ("JPMorgan", "JP Morgan", "J.P. Morgan"), "BAC": ("BofA",),
    "GS": ("Goldman Sachs",), "C": ("Citi",), "BRK.B": ("Berkshire Hathaway", "Berkshire"), "KO": ("Coke",),
    "IBM": ("International Business Machines",), "GM": ("GM",), "GE": ("GE",), "JNJ": ("J&J",), "XOM": ("Exxon",),
    "MCD": ("McDonald’s",), "T": ("AT&T",), "PG": ("P&G",), "AMD": ("AMD",), "WFC": ("Wells Fargo",), "BA": ("Boeing",),
    "AMZN": ("Amazon",), "TSLA": ("Tesla",), "MSFT": ("Microsoft",), "NFLX": ("Netflix",), "DIS": ("Disney",),
}  # fmt: skip
# Well known though no member of the index: their one-word names are taken as those of its members are.
_KNOWN = {"GAP", "SNAP", "SHOP", "SPOT", "ROKU", "LYFT", "PINS", "AMC", "GME", "RIVN", "LCID", "BABA",
    "TM", "NVO", "ASML", "ARM",
}  # fmt: skip
_SHORTEST_NAME = 3
_GENERIC = 5
"""A word in so many issuers' names (Bancorp, Pacific) names none of them."""


@dataclass
class _Issuer:
    ticker: str
    name: str
    large: bool
    aliases: set[str] = field(default_factory=set)
    tickers: list[str] = field(default_factory=list)


def main(folder: Path, texts: list[Path]) -> None:
    issuers: dict[str, _Issuer] = {}
    by_ticker: dict[str, _Issuer] = {}
    for ticker, security, large in _securities(folder):
        name = _issuer_name(security)
        if len(name) < _SHORTEST_NAME:
            continue
        issuer = by_ticker.get(ticker) or issuers.setdefault(
            _key(name), _Issuer(ticker, name, large or ticker in _KNOWN)
        )
        by_ticker[ticker] = issuer
        if ticker not in issuer.tickers:
            issuer.tickers.append(ticker)
        short = _short_name(name)
        if short != issuer.name and len(short) >= _SHORTEST_NAME:
            issuer.aliases.add(short)
    for ticker, names in _ALSO.items():
        if ticker in by_ticker:
            by_ticker[ticker].aliases |= set(names) - {by_ticker[ticker].name}
    _write(issuers.values(), _lower_case_counts(texts))


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


def _needs_evidence(name: str, issuer: _Issuer, counts: Counter[str]) -> bool:
    """A name that stands in lower case is a word; a single word is taken on trust for a large company alone."""
    if counts[name.casefold()]:
        return True
    if " " in name or name.isupper():
        return len(name) <= _SHORTEST_NAME and not issuer.large
    return not issuer.large or len(name) <= _SHORTEST_NAME


def _names(issuer: _Issuer, counts: Counter[str], generic: set[str]) -> list[str]:
    """The short name first; a small company's is left out when it is one common word, which proves nothing."""
    name = _short_name(issuer.name)
    rest = sorted((issuer.aliases | {issuer.name}) - {name})
    proves_nothing = name in generic or (not issuer.large and counts[name.casefold()] > 0)
    if " " not in name and proves_nothing:
        return [one for one in rest if one not in generic] or [f"{name} {issuer.ticker}"]
    return [name, *rest]


def _write(issuers: Iterable[_Issuer], counts: Counter[str]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["id", "name", "aliases", "tickers", "needs_evidence"])
    issuers = sorted(issuers, key=lambda one: one.ticker)
    shared = Counter(word for issuer in issuers for word in set(issuer.name.split()))
    generic = {word for word, count in shared.items() if count >= _GENERIC}
    for issuer in issuers:
        names = _names(issuer, counts, generic)
        name = names[0]
        unsure = [one for one in names if _needs_evidence(one, issuer, counts)]
        out.writerow([issuer.ticker, name, "|".join(names[1:]), "|".join(issuer.tickers), "|".join(unsure)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
