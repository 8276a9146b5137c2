"""The help of every command: present, the same in a list and on its own page, and in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from streams.cli import app

RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})

UNPLAIN = re.compile(
    r"\b(mends?|told|stands?|nobody|at hand|come late|anew again|cut off|puts? them to work)\b", re.IGNORECASE
)
"""Words that read as translated; the field has others."""


def _page(words: tuple[str, ...]) -> str:
    shown = RUNNER.invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    return re.sub(r"[│╭╮╰╯─]", " ", shown.output)


def _listed(page: str) -> Iterator[tuple[str, str]]:
    """The commands that a page lists, with the first line of their help."""
    _, _, below = page.partition(" Commands ")
    for line in below.splitlines():
        if found := re.match(r"^\s{1,3}([a-z][a-z-]+)\s{2,}(\S.*?)\s*$", line):
            yield found[1], found[2]


def _commands(words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, text in _listed(_page(words)):
        yield (*words, name), text
        yield from _commands((*words, name))


@pytest.fixture(scope="module")
def pages() -> dict[tuple[str, ...], tuple[str, str]]:
    """By the words of a command its line in the list above and its own page."""
    found = {words: (text, _page(words)) for words, text in _commands()}
    assert {("run",), ("model", "promote"), ("archive", "rebuild-state"), ("config", "init")} <= set(found)
    return found


def test_a_command_says_the_same_in_the_list_and_on_its_page(pages: dict[tuple[str, ...], tuple[str, str]]) -> None:
    for words, (listed, page) in pages.items():
        assert listed.rstrip("…. ")[:60] in " ".join(page.split()), words


def test_every_option_has_a_text_and_only_the_first_page_offers_completion(
    pages: dict[tuple[str, ...], tuple[str, str]],
) -> None:
    for words, (_, page) in pages.items():
        assert "--install-completion" not in page, words
        for line in page.splitlines():
            if re.match(r"^\s*\*?\s*--[a-z]", line):
                assert len(re.split(r"\s{2,}", line.strip())) >= 3, (words, line)


def test_it_is_in_plain_words(pages: dict[tuple[str, ...], tuple[str, str]]) -> None:
    for words, (listed, page) in pages.items():
        assert not (found := UNPLAIN.findall(listed + page)), (words, found)
