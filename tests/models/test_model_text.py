"""The normalisation that training and inference share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import MAX_CHARACTERS, leak_key, normalise

ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates included


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Profit &amp; loss", "Profit & loss"),
        ("Up 3%  \n\t today", "Up 3% today"),
        ("Bank cuts jobs https://t.co/abc123 again", "Bank cuts jobs again"),
        ("HTTP://EXAMPLE.ORG/x", ""),
        ("see www.example.org/path?q=1", "see"),
        ("nul\x00 and \x1b escape", "nul and escape"),
        ("right\u202eto left\u200b mark", "rightto left mark"),
        ("half \ud83d pair", "half pair"),
        ("", ""),
    ],
)
def test_known_cases(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@given(ANY_TEXT)
def test_result_is_short_encodable_and_single_spaced(raw: str) -> None:
    text = normalise(raw)
    text.encode("utf-8")
    assert len(text) <= MAX_CHARACTERS
    assert text == " ".join(text.split())


@given(st.text(st.characters(exclude_characters="&"), max_size=300))
def test_normalised_text_stays_as_it_is(raw: str) -> None:
    assert normalise(normalise(raw)) == normalise(raw)


def test_links_blanks_and_case_do_not_hide_a_leak() -> None:
    assert leak_key("Maker  cuts guidance https://t.co/a") == leak_key("MAKER cuts guidance\nhttps://t.co/b")


def test_ten_megabytes_are_cut_before_the_work_begins() -> None:
    huge = "profit warning " * 700_000
    assert normalise(huge) == normalise(huge[: 4 * MAX_CHARACTERS])
    assert len(normalise(huge)) <= MAX_CHARACTERS
