"""What `control` says of watchlists: the last word of each, what cannot be used named and passed over."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.engine.runs import Record
from streams.errors import NewerVersion
from streams.records import VERSION
from streams.serving.control import Control, Watched, read_control, watched_send
from streams.serving.follower import active_models
from streams.serving.watched import MOST_BYTES, RunningLists, WatchedLists
from streams.text.watchlists import Watchlist

BODY: dict[str, Any] = {"names": ["Harrowgate  Bancorp"], "not": ["football"]}


def word(name: str, change: int, body: dict[str, Any] | None = BODY, schema: int = VERSION) -> Record:
    said = Watched(name=name, body=body, change=change, by="ann", at_ms=1, schema=schema)
    send = watched_send("control", said)
    return Record(change, send.key, send.value, 0)


def test_the_last_word_of_each_list_holds_and_a_removed_one_is_gone() -> None:
    found = read_control([word("a", 3), word("b", 4), word("a", 7, {"terms": ["run"]}), word("b", 9, None)])
    assert found.watchlists == {"a": Watchlist("a", terms=("run",))}
    assert found.lists_change == 9
    assert found.unreadable == ()


def test_lists_are_read_as_those_of_a_file() -> None:
    assert read_control([word("a", 3)]).watchlists["a"] == Watchlist(
        "a", names=("Harrowgate Bancorp",), without=("football",)
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "nothing can match"),
        ({"words": ["x"]}, "unknown field"),
        ({"names": "x"}, "Expected"),
        ({"names": [""]}, ""),
    ],
)
def test_a_list_that_cannot_be_used_is_named_and_the_others_are_watched(body: dict[str, Any], problem: str) -> None:
    found = read_control([word("bad", 3, body), word("good", 4)])
    assert set(found.watchlists) == {"good"}
    [said] = found.unreadable
    assert "the watchlist 'bad' cannot be used" in said
    assert problem in said


def test_lists_beyond_the_bound_of_all_are_passed_over() -> None:
    large = {"names": [f"{number:080}" for number in range(MOST_BYTES // 160)]}
    found = read_control([word("a", 1, large), word("b", 2, large), word("c", 3, BODY)])
    assert set(found.watchlists) == {"a"}
    assert len(found.unreadable) == 2
    assert "512 KiB" in found.unreadable[0]


def test_a_word_of_a_version_to_come_is_refused() -> None:
    with pytest.raises(NewerVersion, match="the record for a of topic control"):
        read_control([word("a", 3, schema=VERSION + 1)])


def test_a_list_takes_the_place_of_the_file_s_of_its_name() -> None:
    lists = RunningLists(
        [Watchlist("bank", names=("Harrowgate",)), Watchlist("sea", terms=("ship",), without=("toy",))]
    )
    assert lists.matched(("bank", "cars"), "A ship sinks", "", (), "wire") == ("cars", "sea")
    assert lists.matched(("cars",), "Harrowgate builds a toy ship", "", (), "wire") == ("cars", "bank")


def test_the_same_lists_have_the_same_digest_in_any_order_and_no_lists_have_none() -> None:
    first, second = Watchlist("a", names=("x",)), Watchlist("b", names=("y",))
    lists = WatchedLists()
    assert lists.take([first, second]) == lists.take([second, first])
    assert lists.take([]) == ""
    assert lists.running("") is None
    with pytest.raises(KeyError):
        lists.running("unknown")
    body = lists.body(lists.take([first]))
    assert body is not None
    stored = WatchedLists().running("unknown", body)
    assert stored is not None
    assert stored.names == {"a"}


def test_a_worker_wants_what_control_says() -> None:
    lists, profile = WatchedLists(), {"en": ("model", "1")}
    wanted = active_models(read_control([word("a", 3)]), profile, lists)
    assert (wanted.promotion, wanted.lists_change) == (0, 3)
    assert lists.body(wanted.lists) is not None
    assert msgspec.structs.replace(wanted, lists="", lists_change=0) == active_models(Control(), profile, lists)
