"""A profile for Chinese news of listed companies: no spaces, codes such as 600519.SH, no shipped classifier."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from streams.text.profile import load_profile, read_yaml

__all__ = ["WATCHLISTS", "chinese_profile"]

A_SHARES = """stock_code,short_name,list_date2
000001,平安银行,1991-04-03
000002,万  科Ａ,1991-01-29
000100,TCL科技,2004-01-30
002594,比亚迪,2011-06-30
300024,机器人,2009-10-30
300750,宁德时代,2018-06-11
600519,贵州茅台,2001-08-27
601318,中国平安,2007-03-01
"""

LANGUAGE = {
    "words": "characters",
    "gazetteer": {
        "file": "a_shares.csv",
        "columns": {"id": "stock_code", "name": "short_name", "tickers": "stock_code"},
    },
    "other_names": ["机器人大会"],
    "evidence": {
        "suffixes": ["股份", "集团", "公司"],
        "words": ["股价", "股东", "公告", "涨停", "净利润"],
        "ticker": "[0-9]{6}",
        "exchanges": ["SH", "SZ", "上交所"],
        "codes": [r"(?P<ticker>[0-9]{6})\.(?:SH|SZ|BJ)"],
    },
    "opposites": [["上涨", "下跌"], ["增持", "减持"], ["涨", "跌"]],
}

WATCHLISTS = """
watchlists:
  - name: 白酒
    names: [贵州茅台]
    aliases: [茅台]
    tickers: [600519.SH]
  - name: 减持
    terms: [减持, sell-down]
    not: [终止]
  - name: 电池
    entities: ["300750"]
    all: [涨停]
  - name: byd
    names: [BYD]
"""

# A name that is also a word: what the gazetteer of a country's exchanges does not say.
OWN = "entities: [{id: '300024', name: 机器人, tickers: ['300024'], needs_evidence: true}]"


def chinese_profile(folder: Path) -> Path:
    """The profile's folder, made in `folder`, with `watchlists.yaml` and `own.yaml` beside it."""
    finance = load_profile("finance").folder
    made = folder / "chinese"
    made.mkdir()
    keys = read_yaml(finance / "profile.yaml")
    keys |= {"name": "chinese", "default_language": "zh", "languages": {"zh": LANGUAGE}}
    (made / "profile.yaml").write_text(yaml.safe_dump(keys, allow_unicode=True), encoding="utf-8")
    shutil.copy(finance / "alerts.yaml", made)
    (made / "a_shares.csv").write_text(A_SHARES, encoding="utf-8")
    (folder / "watchlists.yaml").write_text(WATCHLISTS, encoding="utf-8")
    (folder / "own.yaml").write_text(OWN, encoding="utf-8")
    return made
