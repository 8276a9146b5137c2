"""Matchers are read, printed and applied as Alertmanager's are, and no pattern takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.matchers import Matcher, MatcherError, matches, parse_matcher, parse_matchers

LABELS = {"kind": "entity", "series": "entity/a", "severity": "critical", "note": 'a "quoted"\nline'}


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ('kind="entity"', True),
        ("kind=entity", True),
        ('kind != "entity"', False),
        ('series=~"entity/.*"', True),
        ('series=~"entity"', False),
        ('series!~"source/.*"', True),
        ('team=""', True),
        ('team!=""', False),
        ('team=~".+"', False),
        ('note="a \\"quoted\\"\\nline"', True),
        ("{kind=entity, severity=~'x'}", None),
        ('{kind="entity", severity=~"warning|critical"}', True),
        ('{kind="entity", severity="warning"}', False),
        ("{}", True),
        ('series=~"entity/\\w"', True),
    ],
)
def test_matches(text: str, hit: bool | None) -> None:
    if hit is None:
        with pytest.raises(MatcherError):
            parse_matchers(text)
    else:
        assert matches(parse_matchers(text), LABELS) is hit


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("kind", 4, "write =, !=, =~ or !~"),
        ("1kind=a", 0, "name of a label"),
        ('kind="a', 5, "not closed"),
        ('{kind="a"', 9, "write }"),
        ('kind="a" severity="b"', 9, "comma"),
        ('kind=~"(a"', 6, "missing )"),
        ('kind=~"(?=a)"', 6, "invalid perl operator"),
        ('{kind="a"} x', 11, "nothing may follow"),
        ("kind=", 5, 'write a value, in "quotes"'),
    ],
)
def test_an_error_names_the_character(text: str, position: int, problem: str) -> None:
    with pytest.raises(MatcherError, match="character") as caught:
        parse_matchers(text)
    assert problem in str(caught.value)
    assert caught.value.position == position


def test_one_matcher_is_one() -> None:
    assert parse_matcher("a=b") == Matcher("a", "=", "b")
    with pytest.raises(MatcherError, match="one matcher, not 2"):
        parse_matcher("a=b, c=d")


@given(st.sampled_from(["=", "!="]), st.text())
def test_what_is_printed_is_read_again(operator: str, value: str) -> None:
    one = Matcher("name", operator, value)
    assert parse_matcher(str(one)) == one


def test_a_pattern_that_stops_other_engines_is_fast_here() -> None:
    begun = time.thread_time()
    assert not matches(parse_matchers('x=~"(a+)+b"'), {"x": "a" * 5_000})
    assert time.thread_time() - begun < 1
    with pytest.raises(MatcherError, match="at most"):
        parse_matchers('x=~"' + "a" * 2_000 + '"')
