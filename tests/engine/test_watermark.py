"""The watermark over source partitions: one that has fallen silent holds it, and not for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.ticks import watermark_ms

HOUR_MS = 3_600_000
PROGRESS = st.lists(st.integers(0, 10**13), min_size=1, max_size=8).map(lambda told: dict(enumerate(told)))


def test_the_slowest_partition_holds_it() -> None:
    assert watermark_ms({0: 90_000, 1: 60_000}, 2, 5_000) == 55_000
    assert watermark_ms({0: 90_000, 1: 60_000}, 2, 5_000, HOUR_MS) == 55_000


def test_a_partition_that_was_never_heard_holds_it_entirely() -> None:
    assert watermark_ms({0: 90_000}, 2, 5_000, HOUR_MS) is None


def test_a_partition_that_is_gone_is_left_behind_at_the_cap() -> None:
    gone = {0: 10 * HOUR_MS, 1: HOUR_MS}
    assert watermark_ms(gone, 2, 5_000) == HOUR_MS - 5_000
    assert watermark_ms(gone, 2, 5_000, 4 * HOUR_MS) == 6 * HOUR_MS - 5_000


def test_a_partition_that_the_topic_no_longer_has_counts_for_nothing() -> None:
    assert watermark_ms({0: 90_000, 1: 80_000, 2: 1, 7: 1 << 62}, 2, 5_000, HOUR_MS) == 75_000


@given(PROGRESS, st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 7), st.integers(0, 10**9))
def test_progress_never_takes_it_back(
    progress: dict[int, int], lateness_ms: int, hold_ms: int, partition: int, more_ms: int
) -> None:
    before = watermark_ms(progress, len(progress), lateness_ms, hold_ms)
    later = progress | {partition: progress.get(partition, 0) + more_ms}
    after = watermark_ms(later, len(progress), lateness_ms, hold_ms)
    assert before is not None
    if partition in progress:
        assert after is not None
        assert after >= before
