"""Words of texts, as every archive indexes and searches them, and how a found title shows them.

A word is a run of letters and digits, in lower case. Where words run together (Chinese, Japanese; Korean, whose
particles stand behind a word without a space) every two neighbouring characters are a word, and so is the last
character of a run:

    Apple股价大跌  ->  apple, 股价, 价大, 大跌, 跌
    삼성전자가     ->  삼성, 성전, 전자, 자가, 가

A search finds the texts in which all of its words occur, wherever they are: there are no phrases, and a longer run is
found where each pair of its characters occurs. A single character finds every word that begins with it, so every text
that has it. The last character of a run is a word for that alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise

from streams.scripts import PAIRED, is_paired, may_be_paired

__all__ = ["is_beginning", "marked", "matches", "mixed_words", "spread", "words_of"]

_RUN = re.compile(rf"[{PAIRED}]+|[^\W_{PAIRED}]+")
_PAIRED_RUN = re.compile(f"[{PAIRED}]+")
_ANY_RUN = re.compile(r"[^\W_]+")
_MOST_WORDS = 100
"""Of a search text: more say no more, and Elasticsearch bounds the clauses of a query."""


def words_of(query: str) -> list[str]:
    """The words of a search text that an item must have; those that `is_beginning` need only begin one of its words."""
    words: dict[str, None] = {}
    for run in _RUN.findall(query):
        if len(run) > 1 and is_paired(run[0]):
            words |= dict.fromkeys(map("".join, pairwise(run)))
        else:
            words[run.lower()] = None
    return list(words)[:_MOST_WORDS]


def is_beginning(word: str) -> bool:
    """Whether a word of a search text is a single character that texts have within their words."""
    return len(word) == 1 and is_paired(word)


def spread(text: str) -> str:
    """The text with its paired runs replaced by their words; most texts have none and come back as they are."""
    if not may_be_paired(text):
        return text
    return _PAIRED_RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def mixed_words(*texts: str) -> str:
    """The words of those runs that hold a character of a paired script, each once; empty for most texts."""
    mixed = [*filter(may_be_paired, texts)]
    if not mixed:
        return ""
    runs = [run for text in mixed for run in _ANY_RUN.findall(text) if _PAIRED_RUN.search(run)]
    return " ".join(dict.fromkeys(word for run in runs for word in _indexed(run)))


def matches(query: Iterable[str], *texts: str) -> bool:
    """Whether the texts together have all of a search text's words."""
    found = {word for text in texts for word in _indexed(text)}
    return all(any(one.startswith(word) for one in found) if is_beginning(word) else word in found for word in query)


def marked(title: str, query: Collection[str]) -> str:
    """The title with what matches these words of a search text between « and »."""
    return _RUN.sub(lambda run: _marked_run(run[0], query), title)


def _indexed(text: str) -> Iterator[str]:
    for run in _RUN.findall(text):
        if is_paired(run[0]):
            yield from _pairs(run)
        else:
            yield run.lower()


def _pairs(run: str) -> list[str]:
    return [*map("".join, pairwise(run)), run[-1]]


def _marked_run(run: str, query: Collection[str]) -> str:
    if not is_paired(run[0]):
        return f"«{run}»" if run.lower() in query else run
    hit = [character in query for character in run]
    for at, pair in enumerate(map("".join, pairwise(run))):
        if pair in query:
            hit[at] = hit[at + 1] = True
    shown = [
        f"{'«' if now and not before else '»' if before and not now else ''}{character}"
        for character, now, before in zip(run, hit, [False, *hit], strict=False)
    ]
    return "".join(shown) + ("»" if hit[-1] else "")
