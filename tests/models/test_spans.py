"""Where a name stands in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Span, find_span


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("Ore falls as Oreon rises", "Oreon", "Oreon"),
        ("Oreon rises as Ore falls", "Ore", "Ore"),
        ("oreon rises", "Oreon", "oreon"),
        ("Shares of Q&S (QS.L) rise", "Q&S (QS.L)", "Q&S (QS.L)"),
        ("Northgates fall", "Northgate", "Northgate"),
        ("Nothing here", "Oreon", ""),
        ("Nothing here", "", ""),
        ("", "Oreon", ""),
    ],
)
def test_names_are_found_as_words_first(text: str, name: str, found: str) -> None:
    span = find_span(text, name)
    assert text[span.start : span.end] == found


def test_a_word_of_its_own_beats_an_earlier_part_of_a_word() -> None:
    assert find_span("Oreon rises as Ore falls", "Ore") == Span(15, 18)


@given(st.text(max_size=40), st.text(max_size=10))
def test_what_is_found_is_the_name_but_for_its_case(text: str, name: str) -> None:
    span = find_span(text, name)
    assert 0 <= span.start <= span.end <= len(text)
