"""Matchers of labels, written as in Alertmanager: which alerts a route, a silence or an inhibition is about.

    kind="entity"    equal            series=~"entity/.*"    the whole value matches the pattern
    kind!="source"   not equal        series!~"source/.*"    it does not

A label that an alert lacks is empty. Patterns are RE2's: the time they take is linear in the value's length, so no
pattern that a user writes can stop the process.

>>> [str(one) for one in parse_matchers('{kind="entity", severity=~critical}')]
['kind="entity"', 'severity=~"critical"']
>>> matches(parse_matchers('kind!=source'), {"kind": "entity"})
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

import re2

from alerts.errors import AlertsError

__all__ = ["Matcher", "MatcherError", "matches", "parse_matcher", "parse_matchers"]

OPERATORS: Final = ("=~", "!~", "!=", "=")
_LONGEST_PATTERN: Final = 1_000
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE: Final = re.compile(r"""[^\s"'{}!=~,\\`]+""")
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


class MatcherError(AlertsError):
    """A matcher cannot be read; `position` is the character, counted from 0, that it fails at; `problem` is why."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        shown = text if len(text) <= 80 else f"{text[:77]}…"
        super().__init__(f"{shown!r}: character {position + 1}: {problem}")
        self.position = position
        self.problem = problem


class _Pattern(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. `operator` is one of `OPERATORS`. Raises `MatcherError` for a wrong pattern."""

    name: str
    operator: str
    value: str
    _pattern: _Pattern | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.operator in ("=~", "!~"):
            object.__setattr__(self, "_pattern", _compiled(self.value))

    def __str__(self) -> str:
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{value}"'

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet the condition."""
        value = labels.get(self.name, "")
        hit = value == self.value if self._pattern is None else self._pattern.fullmatch(value) is not None
        return hit is not self.operator.startswith("!")


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels meet every one of the conditions."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matcher(text: str) -> Matcher:
    """Returns the one matcher in `text`. Raises `MatcherError`."""
    found = parse_matchers(text)
    if len(found) != 1:
        raise MatcherError(text, 0, f"write one matcher, not {len(found)}")
    return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Returns the matchers in `text`, divided by commas, in braces or without. Raises `MatcherError`."""
    return _Reader(text).matchers()


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> _Pattern:
    if len(pattern) > _LONGEST_PATTERN:
        raise MatcherError(pattern, _LONGEST_PATTERN, f"a pattern has at most {_LONGEST_PATTERN:,} characters")
    try:
        compiled: _Pattern = re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise MatcherError(pattern, 0, f"no pattern of RE2: {reason}") from None
    return compiled


class _Reader:
    """Reads matchers from left to right; `_at` is the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def matchers(self) -> tuple[Matcher, ...]:
        braces = self._take("{")
        found: list[Matcher] = []
        while not self._ends(braces):
            found.append(self._matcher())
            if not self._take(",") and not self._ends(braces):
                raise self._wrong("write a comma between matchers")
        if braces and not self._take("}"):
            raise self._wrong("the brace { is not closed; write }")
        if self._rest():
            raise self._wrong("nothing may follow the last matcher")
        return tuple(found)

    def _matcher(self) -> Matcher:
        name = self._word(_NAME, "write the name of a label: letters, digits and _")
        operator = next((one for one in OPERATORS if self._take(one)), None)
        if operator is None:
            raise self._wrong("write =, !=, =~ or !~ after the label's name")
        start, value = self._at, self._value()
        try:
            return Matcher(name, operator, value)
        except MatcherError as error:
            raise MatcherError(self._text, start, error.problem) from None

    def _value(self) -> str:
        if not self._take('"'):
            return self._word(_BARE, 'write a value, in "quotes"')
        opened, value = self._at - 1, ""
        while self._at < len(self._text):
            char, self._at = self._text[self._at], self._at + 1
            if char == '"':
                return value
            value += self._escaped() if char == "\\" else char
        self._at = opened
        raise self._wrong('the quote " is not closed')

    def _escaped(self) -> str:
        """The character behind a backslash. Patterns have many of their own, which stay as they are."""
        char, self._at = self._text[self._at : self._at + 1], self._at + 1
        return _ESCAPES.get(char, f"\\{char}")

    def _word(self, pattern: re.Pattern[str], problem: str) -> str:
        self._rest()
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong(problem)
        self._at = found.end()
        return found.group()

    def _take(self, wanted: str) -> bool:
        if self._rest().startswith(wanted):
            self._at += len(wanted)
            return True
        return False

    def _ends(self, braces: bool) -> bool:
        rest = self._rest()
        return not rest or (braces and rest.startswith("}"))

    def _rest(self) -> str:
        """What follows, without blanks before it."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at :]

    def _wrong(self, problem: str) -> MatcherError:
        return MatcherError(self._text, self._at, problem)
