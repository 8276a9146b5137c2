"""Stories: near copies collapse, vetoes hold, memory is bounded, and a restart changes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.records import Story
from streams.text.signature import PERMUTATIONS, normal_title
from streams.text.stories import LONGEST_MS, ROWS, StoryIndex
from streams.wall_clock import HOUR_MS

TITLE = "Acme shares tumble after the regulator opens a probe"


@dataclass(frozen=True)
class Row:
    id: str
    title: str
    seen_ms: int
    story_id: str
    duplicate_of: str | None


def test_copies_join_and_are_counted_by_span() -> None:
    index = StoryIndex(100)
    first = index.assign("a", normal_title(TITLE), 0)
    assert (first.id, first.duplicate_of, first.similar) == ("a", None, {})
    second = index.assign("b", normal_title(f"{TITLE} - Daily Planet"), 20 * HOUR_MS)
    assert (second.id, second.duplicate_of) == ("a", "a")
    assert second.similar == {"12h": 0, "24h": 1, "3d": 1, "5d": 1, "7d": 1}
    third = index.assign("c", normal_title(TITLE.replace("tumble", "slump")), 21 * HOUR_MS)
    assert third.id == "a"
    assert third.similar["12h"] == 1


def test_other_news_is_another_story() -> None:
    index = StoryIndex(100)
    index.assign("a", normal_title(TITLE), 0)
    assert index.assign("b", normal_title("Central bank keeps rates where they are"), 1).id == "b"


def test_numbers_and_opposites_veto() -> None:
    index = StoryIndex(100, opposites=[("rises", "falls")])
    index.assign("a", normal_title("Acme quarterly profit rises 12 percent on strong demand"), 0)
    assert index.assign("b", normal_title("Acme quarterly profit rises 13 percent on strong demand"), 1).id == "b"
    assert index.assign("c", normal_title("Acme quarterly profit falls 12 percent on strong demand"), 1).id == "c"


def test_a_story_ends_after_seven_days() -> None:
    index = StoryIndex(100)
    index.assign("a", normal_title(TITLE), 0)
    assert index.assign("b", normal_title(TITLE), LONGEST_MS + 1).id == "b"


def test_a_known_id_adds_nothing() -> None:
    index = StoryIndex(100)
    story = index.assign("a", normal_title(TITLE), 0)
    assert index.assign("a", normal_title("another title altogether, a revision"), 5) == story
    assert index.assign("b", normal_title(TITLE), 6).similar["12h"] == 1


def test_memory_is_bounded() -> None:
    index = StoryIndex(10)
    for number in range(100):
        index.assign(str(number), normal_title(f"headline {number} about matter {number * 7}"), number)
    assert len(index) == 10
    assert len(index._by_id) == 10
    assert sum(map(len, index._by_band.values())) == 10 * PERMUTATIONS // ROWS
    assert sum(map(len, index._times.values())) == 10


WORDS = ["bank", "fund", "share", "rate", "cut", "rise", "deal", "plant", "chief", "court"]
titles = st.lists(st.sampled_from(WORDS), min_size=3, max_size=8).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(titles, max_size=40), st.integers(0, 40), st.integers(2, 12), st.integers(0, 2**16))
def test_restored_and_unbroken_agree(titles: Sequence[str], cut: int, capacity: int, seed: int) -> None:
    rng = random.Random(seed)
    times = sorted(rng.randint(0, 10 * 24 * HOUR_MS) for _ in titles)
    items = [(str(number), title, at) for number, (title, at) in enumerate(zip(titles, times, strict=True))]
    unbroken = StoryIndex(capacity)
    stories: list[Story] = [unbroken.assign(item[0], normal_title(item[1]), item[2]) for item in items]
    cut = min(cut, len(items))
    rows = [Row(*item, story.id, story.duplicate_of) for item, story in zip(items[:cut], stories[:cut], strict=True)]
    restored = StoryIndex(capacity)
    restored.restore(rows[-capacity:])
    assert [restored.assign(item[0], normal_title(item[1]), item[2]) for item in items[cut:]] == stories[cut:]
