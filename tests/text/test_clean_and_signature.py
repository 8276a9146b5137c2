"""Cleaning is total and idempotent; signatures and partition keys know copies."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.text.clean import clean_text
from streams.text.language import decide_language, detect, normalise_language
from streams.text.signature import partition_key, signature

wild = st.text(st.characters(), max_size=300)  # every code point, lone surrogates too


@given(wild)
@example("a\x00b\u202ec\ud800d")
@example("&amp;amp;amp;amp;amp;amp;amp;amp;lt;b&gt;")
@example("\uff1cscript\uff1ealert(1)\uff1c/script\uff1e")
def test_cleaning_is_total_and_leaves_readable_text(raw: str) -> None:
    text = clean_text(raw, 200)
    assert len(text) <= 200
    assert text == " ".join(text.split())
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff]", text)
    text.encode()


@given(wild)
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    once = clean_text(raw, 10_000)
    assert clean_text(once, 10_000) == once


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ("<p>Profit &amp; loss</p><br/>rise", "Profit & loss rise"),
        ("&lt;b&gt;Bold&lt;/b&gt; move", "Bold move"),
        ("AT&T and P&G gain", "AT&T and P&G gain"),
        ("Shares up https://example.org/x?y=1 today", "Shares up today"),
        ("see www.example.org", "see"),
        ("yields 3 < 4", "yields 3 < 4"),
        ("ﬁrm １２３", "firm 123"),
        ("<![CDATA[Lender fails]]>", "Lender fails"),
        ("<b>A</b>cme<script>x()</script> gains<br>today", "Acme gains today"),
        ("   \n\t ", ""),
    ],
)
def test_cleaning_examples(raw: str, want: str) -> None:
    assert clean_text(raw, 500) == want


def test_long_text_is_cut_at_a_word() -> None:
    assert clean_text("alpha beta gamma", 12) == "alpha beta"
    assert clean_text("x" * 50, 10) == "x" * 10
    assert len(clean_text("word " * 2_000_000, 4_000)) <= 4_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme shares fall after results", "ACME SHARES FALL, AFTER RESULTS"),
        ("Acme shares fall after results", "Acme shares fall after results - Daily Planet"),
        ("Acme shares fall after results", "Acme shares fall after results | The Harbour News"),
        ("Acme shares fall after results", "UPDATE 2-Acme shares fall after results"),
        ("Acme’s boss quits after a year", "Acme's boss quits after a year"),
    ],
)
def test_copies_have_one_signature(one: str, other: str) -> None:
    assert signature(one) == signature(other)
    assert partition_key(one) == partition_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme profit rises 12 percent in May", "Acme profit rises 13 percent in May"),
        ("Acme profit rises 1.2 percent in May", "Acme profit rises 12 percent in May"),
        ("Index moves -5 points on Monday morning", "Index moves 5 points on Monday morning"),
        ("Fee of $5 per ticket from May", "Fee of €5 per ticket from May"),
        ("Lender fails in the night - shares fall 5 percent", "Lender fails in the night - shares rise 9 percent"),
        ("Downgrade for $ABC at Broker", "Downgrade for $ABD at Broker"),
    ],
)
def test_different_numbers_and_tickers_differ(one: str, other: str) -> None:
    assert signature(one) != signature(other)


@given(wild)
def test_signatures_are_total(raw: str) -> None:
    title = clean_text(raw, 300)
    assert 0 <= signature(title) < 2**63
    assert len(partition_key(title)) == 4


def test_signatures_are_the_same_in_every_process() -> None:
    assert signature("Acme shares fall after results") == 4340719812171238847


def test_languages() -> None:
    assert detect("Die Aktie des Konzerns fällt nach der Gewinnwarnung deutlich")[0] == "de"
    assert decide_language(None, "Shares of the lender fell sharply on Friday", "fr", 0.5) == "en"
    assert decide_language(None, "Fiat richiama migliaia di auto", "en", 0.6) == "it"
    assert decide_language("en-US", "anything", "fr", 0.5) == "en"
    assert decide_language("en", "股价大幅下跌", "en", 0.3) == "zh"
    assert decide_language(None, "12345", "en", 0.9) == "en"


@pytest.mark.parametrize("title", ["$W plunges", "$W drops", "W plunges", "$GME halts", "$TSLA sinks", "TABLE-NEXUS"])
def test_a_title_too_short_to_tell_is_in_the_profile_s_language(title: str) -> None:
    assert decide_language(None, title, "en", 0.6) == "en"
    assert decide_language(None, title, "fr", 0.6) not in {"fa", "kn", "mr"}


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ éüñ$-&5%", max_size=60))
@example("UPDATE 2-MOVES-Carlyle, CCMP, Swiss Re")
@example("REG-BRADFORD & BINGLEY PLC FRN Variable Rate Fix")
def test_latin_letters_are_in_no_language_of_another_script(title: str) -> None:
    found = decide_language(None, title, "en", 0.3)
    assert found not in {"fa", "ar", "zh", "ja", "ko", "ru", "uk", "bg", "el", "he", "th", "hi", "mr", "kn", "ka", "hy"}


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("Акции падают", "ru"),
        ("Gazprom: акции падают на 5%", "ru"),
        ("Сбербанк", "ru"),
        ("أسهم", "ar"),
        ("سهم شركة", "ar"),
        ("ราคา", "th"),
        ("Μετοχές", "el"),
        ("מניות", "he"),
        ("股价", "zh"),
        ("주가 하락", "ko"),
        ("株価が急落", "ja"),
        ("Le titre plonge", "fr"),
        ("Swisscom gewinnt", "de"),
        ("Gewinnwarnung bei Siemens", "de"),
    ],
)
def test_other_languages_are_told_by_a_few_words(title: str, language: str) -> None:
    assert decide_language(None, title, "en", 0.6) == language


def test_names_do_not_make_an_english_title_foreign() -> None:
    for title in ("Alaska Airlines buys Wagner Metall", "Cairo rockslide crushes homes", "Rio Verde sues Monte Banca"):
        assert decide_language(None, title, "en", 0.6) == "en"
    assert detect("Cairo rockslide crushes homes")[0] != "en"  # by itself the model is sure of another
    assert [normalise_language(code) for code in ("en-UK", "EN_gb", "eng", "x-klingon", "")] == [
        "en",
        "en",
        "en",
        "",
        "",
    ]
