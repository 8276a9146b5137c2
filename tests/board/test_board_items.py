"""Items on the board: pages, one per story, facets, one with its versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from streams.archive.faceting import faceted_of
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Query
from streams.board.cursors import cursor_of, place_of
from streams.board.problem import Problem
from streams.board.reading.items import Place, facets_of, find_items, item_with_revisions, shown_items
from streams.board.shapes.items import ItemsQuery
from streams.records import Scored, Story
from streams.wall_clock import HOUR_MS, MINUTE_MS
from tests.archive_news import START_MS, crisis_news

Told = Sequence[tuple[str, str]]


def told(rows: Told) -> list[Scored]:
    """Items, oldest first, of which the text names (id, story); the first of a story is what the others repeat."""
    template = crisis_news()[0]
    return [
        msgspec.structs.replace(
            template,
            news=msgspec.structs.replace(
                template.news,
                id=name,
                title=f"Title {name}",
                source=f"wire {number}",
                seen_ms=START_MS + number * MINUTE_MS,
            ),
            position=msgspec.structs.replace(template.position, offset=number, partition=0),
            story=Story(story, duplicate_of=story if story != name else None),
        )
        for number, (name, story) in enumerate(rows)
    ]


async def pages(archive: MemoryArchive, limit: int, *, one: bool) -> list[list[str]]:
    found, after = [], None
    while True:
        page = await find_items(archive, Query(), limit, one_per_story=one, after=after)
        found.append([hit.item.news.id for hit in page.hits])
        if page.place is None:
            return found
        after = page.place


async def test_pages_hold_every_item_once() -> None:
    archive = MemoryArchive()
    await archive.write_items(told([(f"i{number}", f"i{number}") for number in range(7)]))
    assert await pages(archive, 3, one=False) == [["i6", "i5", "i4"], ["i3", "i2", "i1"], ["i0"]]
    assert await pages(archive, 7, one=False) == [["i6", "i5", "i4", "i3", "i2", "i1", "i0"]]


async def test_one_per_story_shows_the_newest_of_each_over_all_pages() -> None:
    archive = MemoryArchive()
    await archive.write_items(told([("a", "a"), ("b", "b"), ("c", "a"), ("d", "d"), ("e", "a"), ("f", "b")]))
    assert await pages(archive, 2, one=True) == [["f", "e"], ["d"]]
    assert await pages(archive, 10, one=True) == [["f", "e", "d"]]
    hits = (await find_items(archive, Query(), 2, one_per_story=True, after=None)).hits
    first, second = await shown_items(archive, hits)
    assert (first.story.size, first.story.publishers) == (2, ["wire 5", "wire 1"])
    assert (second.story.size, second.story.publishers) == (3, ["wire 4", "wire 2", "wire 0"])


async def test_a_copy_that_the_series_did_not_count_names_the_one_that_it_counted() -> None:
    template = crisis_news()[0]
    series = next(iter(template.series))
    hours = [0, 10, 23, 24, 30, 49]  # of copies: the fourth is counted again, and so is the last

    def copy(number: int, hour: int, signature: str = "1" * 16, **changes: object) -> Scored:
        news = msgspec.structs.replace(template.news, id=f"i{number}", seen_ms=START_MS + hour * HOUR_MS)
        position = msgspec.structs.replace(template.position, offset=number, partition=0)
        one = msgspec.structs.replace(template, news=news, position=position, story=Story("s"), signature=signature)
        return msgspec.structs.replace(one, **changes)

    archive = MemoryArchive()
    await archive.write_items(
        [copy(number, hour) for number, hour in enumerate(hours)]
        + [copy(7, 5, "2" * 16), copy(8, 11, late=True), copy(9, 11, series={})]
    )
    hits = (await find_items(archive, Query(since_ms=START_MS + 5 * HOUR_MS), 50, one_per_story=False, after=None)).hits
    first_ms, fourth_ms = START_MS, START_MS + 24 * HOUR_MS
    found = {one.id: one.repeat_of_ms for one in await shown_items(archive, hits, series)}
    repeats = {"i1": first_ms, "i2": first_ms, "i4": fourth_ms}
    assert found == dict.fromkeys(["i3", "i5", "i7", "i8", "i9"]) | repeats
    assert {one.repeat_of_ms for one in await shown_items(archive, hits)} == {None}


async def test_an_archive_of_one_story_answers() -> None:
    archive = MemoryArchive()
    await archive.write_items(told([(f"i{number:05d}", "i00000") for number in range(2_300)]))
    found = await find_items(archive, Query(), 5, one_per_story=True, after=None)
    assert [hit.item.news.id for hit in found.hits] == ["i02299"]
    assert found.place is not None


async def test_facets_are_counted_over_heads_sources_and_entities() -> None:
    items = [one for one in crisis_news() if one.news.seen_ms < START_MS + 10**8]
    found = facets_of(map(faceted_of, items), sentiment="sentiment", subject="topic")
    assert found.of == len(items)
    assert sum(one.count for one in found.sentiment) == len(items)
    assert {one.name for one in found.entity} == {"ACME", "BOLT", "CORE", "DUNE"}
    names = {one.id: one.name for item in items for one in item.entities}
    assert {one.name: one.label for one in found.entity} == names
    assert found.source == sorted(found.source, key=lambda one: (-one.count, one.name))
    assert found.subject == []


async def test_a_facet_of_stories_counts_what_a_search_for_its_value_shows() -> None:
    items = [faceted_of(one) for one in told([("a", "a"), ("b", "b"), ("c", "a")])]
    told_as = [("a", "wire 1", "negative"), ("b", "wire 2", "neutral"), ("a", "wire 1", "neutral")]  # the newest first
    items = [
        replace(item, story=story, source=source, labels={"sentiment": label})
        for item, (story, source, label) in zip(items, told_as, strict=True)
    ]
    found = facets_of(items, sentiment="sentiment", subject="", one_per_story=True, complete=False)
    assert (found.of, found.complete) == (2, False)
    assert {one.name: one.count for one in found.sentiment} == {"neutral": 2, "negative": 1}
    assert {one.name: one.count for one in found.source} == {"wire 1": 1, "wire 2": 1}


async def test_an_item_has_its_versions() -> None:
    [item] = told([("a", "a")])
    later = msgspec.structs.replace(
        item,
        news=msgspec.structs.replace(item.news, content="b", title="Corrected", seen_ms=item.news.seen_ms + 1),
        position=msgspec.structs.replace(item.position, offset=9),
    )
    archive = MemoryArchive()
    await archive.write_items([later, item])
    found = await item_with_revisions(archive, "a")
    assert found is not None
    assert found.title == "Title a"
    assert [one.title for one in found.revisions] == ["Title a", "Corrected"]
    assert await item_with_revisions(archive, "b") is None


def test_a_cursor_is_of_its_query() -> None:
    query = ItemsQuery(q="bank", limit=10)
    cursor = cursor_of(query, (5, "id", (1, 2**32 - 1)))
    assert place_of(ItemsQuery(q="bank", limit=99), cursor, Place) == (5, "id", (1, 2**32 - 1))
    assert place_of(query, "", Place) is None
    longest = cursor_of(query, (2**50, "f" * 64, tuple(2**32 - 1 - number for number in range(120))))
    assert len(longest) < 1_000
    for wrong in (ItemsQuery(q="other"), ItemsQuery(q="bank", language="en")):
        with pytest.raises(Problem, match="another query"):
            place_of(wrong, cursor, Place)


@pytest.mark.parametrize("cursor", ["x", "!!!", "AAAA", cursor_of(ItemsQuery(), "text"), cursor_of(ItemsQuery(), 5)])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as raised:
        place_of(ItemsQuery(), cursor, Place)
    assert raised.value.status == 400
