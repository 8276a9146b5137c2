"""A watched stage does what the stage does, and says how it went."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from streams.archive.protocol import ArchiveError
from streams.errors import LeaseLost, Retry, TransportError
from streams.observe.stage import ObservedStage
from streams.observe.troubles import Troubles
from tests.observe.watched import NOW_MS, Clock, ToldStage, metrics_of, run_of, sample, troubles_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def troubles(clock: Clock) -> Troubles:
    return troubles_of(metrics_of(clock), clock)


def watched(stage: ToldStage, troubles: Troubles, clock: Clock) -> ObservedStage:
    return ObservedStage("score", stage, troubles._metrics, troubles, clock=clock)


async def test_a_run_is_one_line_with_its_figures(
    troubles: Troubles, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "streams")
    inner = ToldStage()
    await watched(inner, troubles, clock).handle(run_of(10, 500))
    assert len(inner.runs) == 1
    (record,) = caplog.records
    line: Any = record.msg
    assert line.pop("seconds") >= 0
    assert (record.levelname, line) == ("INFO", {
        "event": "Run done", "stage": "score", "partition": 0, "first_offset": 10, "last_offset": 509,
        "records": 500, "lag": 0,
    })  # fmt: skip


async def test_a_tick_is_no_news(troubles: Troubles, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "streams")
    await watched(ToldStage(), troubles, clock).handle(run_of(10, 1))
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Retry("busy"), "retry"),
        (ArchiveError("read-only"), "archive"),
        (TransportError("no broker"), "transport"),
        (ValueError("a bug"), "error"),
    ],
)
async def test_a_failure_is_counted_by_reason_and_raised_on(
    error: Exception, reason: str, troubles: Troubles, clock: Clock
) -> None:
    stage = watched(ToldStage([error]), troubles, clock)
    with pytest.raises(type(error)):
        await stage.handle(run_of(0, 1))
    assert sample(troubles._metrics, "retries_total", stage="score", reason=reason) == 1
    assert sample(troubles._metrics, "runs_in_progress", stage="score") == 0
    assert stage.progress_ms is None


async def test_a_run_that_fails_again_and_again_is_trouble_until_it_succeeds(troubles: Troubles, clock: Clock) -> None:
    stage = watched(ToldStage([Retry("busy")] * 3), troubles, clock)
    for attempt in range(3):
        assert len(troubles.active) == 0, attempt
        with pytest.raises(Retry):
            await stage.handle(run_of(0, 1, partition=1))
    (trouble,) = troubles.active
    assert trouble.reason == "stage"
    assert "partition 1, offset 0" in trouble.detail
    assert "busy" in trouble.detail
    await stage.handle(run_of(0, 1, partition=1))
    assert troubles.active == []


async def test_the_trouble_of_a_run_that_was_parked_ends_where_the_partition_is_quiet(
    troubles: Troubles, clock: Clock
) -> None:
    stage = watched(ToldStage([ValueError("bad")] * 3), troubles, clock)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad"):
            await stage.handle(run_of(0, 1, partition=1))
    assert len(troubles.active) == 1
    await stage.idle(0, clock())
    assert len(troubles.active) == 1, "another partition's"
    await stage.idle(1, clock())
    assert troubles.active == []


@pytest.mark.parametrize("error", [LeaseLost("gone"), asyncio.CancelledError()])
async def test_a_run_that_is_taken_away_is_dropped_not_failed(
    error: BaseException, troubles: Troubles, clock: Clock
) -> None:
    stage = watched(ToldStage([error]), troubles, clock)
    with pytest.raises(type(error)):
        await stage.handle(run_of(0, 1))
    assert sample(troubles._metrics, "runs_dropped_total", stage="score") == 1
    assert sample(troubles._metrics, "retries_total", stage="score", reason="error") is None


async def test_progress_is_a_finished_run_or_an_idle_tick(troubles: Troubles, clock: Clock) -> None:
    inner = ToldStage()
    stage = watched(inner, troubles, clock)
    await stage.idle(3, clock())
    assert (stage.progress_ms, stage.owned, inner.idled) == (NOW_MS, {3}, [3])
    clock.pass_seconds(9)
    await stage.handle(run_of(0, 1, partition=4))
    assert stage.progress_ms == NOW_MS + 9_000
    stage.forget(3)
    assert (stage.owned, inner.forgotten) == ({4}, [3])
