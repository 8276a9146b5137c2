"""Texts scored in a notebook: a record for each, in the order given, whatever is among them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from streams.errors import MoodwireError
from streams.library.scoring import Scorer

TEXT = "Shares plunge after the bank halts withdrawals"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer()


def test_a_text_without_a_word_has_a_record_with_its_reason(scorer: Scorer) -> None:
    first, empty, markup, last = scorer.score([TEXT, "", "<p></p>", TEXT])
    assert first == last
    assert first["heads"]
    assert "rejected" not in first
    for record in (empty, markup):
        assert record["rejected"].startswith("no_title")
        assert record["heads"] == {}
    assert set(first) - set(empty) == {"model"}


def test_a_row_of_a_frame_is_a_text(scorer: Scorer) -> None:
    frame = scorer.frame([TEXT, "", TEXT])
    assert len(frame) == 3
    assert frame["rejected"].notna().tolist() == [False, True, False]


def test_one_string_is_one_text(scorer: Scorer) -> None:
    assert scorer.score(TEXT) == scorer.score([TEXT])


@pytest.mark.parametrize("wrong", [None, float("nan"), 3, b"bytes"])
def test_what_is_no_text_is_named_with_its_number(scorer: Scorer, wrong: Any) -> None:
    with pytest.raises(MoodwireError, match=r"text 1 \(counted from 0\)"):
        scorer.score(cast("list[str]", [TEXT, wrong]))
