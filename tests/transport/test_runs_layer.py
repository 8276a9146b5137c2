"""Runs are cut within their limits and acknowledged in order, whatever the order in which they are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise, takewhile
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.runs import Record, Run
from streams.transport.runs import RunConsumer, RunLimits, cut, take_done

RECORDS = st.lists(st.none() | st.integers(0, 60), max_size=40).map(
    lambda sizes: [Record(at * 3, None, None if n is None else bytes(n), 0) for at, n in enumerate(sizes)]
)


@given(RECORDS, st.integers(1, 9), st.integers(1, 100))
def test_cutting_loses_nothing_and_keeps_the_limits(records: Sequence[Record], most: int, size: int) -> None:
    runs = list(cut(records, RunLimits(most, size)))
    assert [record for run in runs for record in run] == list(records)
    for run in runs:
        assert 1 <= len(run) <= most
        assert len(run) == 1 or sum(len(r.value or b"") for r in run) <= size


@given(RECORDS, st.integers(1, 9), st.integers(1, 100))
def test_a_run_ends_only_where_the_next_record_would_pass_a_limit(
    records: Sequence[Record], most: int, size: int
) -> None:
    runs = list(cut(records, RunLimits(most, size)))
    for run, following in pairwise(runs):
        bytes_with_next = sum(len(r.value or b"") for r in [*run, following[0]])
        assert len(run) == most or bytes_with_next > size


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.data())
def test_commits_follow_the_order_of_handing_out(lengths: list[int], data: st.DataObject) -> None:
    ends = [end - 1 for end in accumulate(lengths)]
    handed, acked, done, committed = deque(ends), set[int](), set[int](), -1
    for end in data.draw(st.permutations(ends)):
        acked.add(end)
        done.add(end)
        if data.draw(st.booleans()):
            taken = take_done(handed, acked)
            committed = committed if taken is None else taken
            in_order = list(takewhile(done.__contains__, ends))
            assert committed == (in_order[-1] if in_order else -1)
    taken = take_done(handed, acked)
    committed = committed if taken is None else taken
    assert committed == ends[-1]
    assert not handed
    assert not acked
    assert take_done(handed, acked) is None


SOURCE = TP("in", 0)


class Layer(RunConsumer):
    """The layer alone: one fetch brings two records, and something happens while it is on its way."""

    def __init__(self, meanwhile: Callable[[Layer], None]) -> None:
        self._handed, self._next, self._behind, self.seeks = {}, {SOURCE: 5}, set(), 0
        self._state = SimpleNamespace(generation=1, flows=True)
        self._meanwhile = meanwhile

    flow_active = property(lambda self: self._state.flows)
    should_stop = False
    app = property(
        lambda self: SimpleNamespace(
            consumer_generation_id=self._state.generation, tables=SimpleNamespace(changelog_topics=())
        )
    )

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP] | None]:  # noqa: ASYNC109  # faust's
        self._meanwhile(self)
        return {SOURCE: [Record(offset, None, b"", 0) for offset in (5, 6)]}, None

    def _messages(self, tp: TP, fetched: Sequence[Any]) -> Any:
        run = Run(tp.topic, tp.partition, 1, "epoch", fetched, 7)
        return iter([SimpleNamespace(value=run, offset=run.last_offset)])


Layer.__abstractmethods__ = frozenset()  # what a transport adds is not asked for here


def _nothing(_: Layer) -> None:
    """The fetch comes as asked for."""


def _revoked_and_assigned(layer: Layer) -> None:
    layer._next.pop(SOURCE)
    layer._state.generation = 2


def _sought(layer: Layer) -> None:
    layer.seeks += 1


@pytest.mark.parametrize(
    ("meanwhile", "handed"),
    [(_nothing, [6]), (_revoked_and_assigned, []), (_sought, [])],
    ids=["none", "again", "seek"],
)
async def test_what_was_fetched_before_the_positions_moved_is_not_handed_out(
    meanwhile: Callable[[Layer], None], handed: list[int]
) -> None:
    layer = Layer(meanwhile)
    assert [message.offset async for _, message in layer.getmany(1.0)] == handed
    assert list(layer._handed.get(SOURCE, ())) == handed
