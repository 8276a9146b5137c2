"""Counts and alerts are exact under redo, splits, paused writers, crashes and refused batches; the check can fail."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from alerts import AlertConfig
from alerts.copies_rows import Part
from streams.engine.positions import SourcePositions
from streams.records import MentionBatch, MentionItem
from streams.stages import watch_partition, watch_series
from streams.stages.waiting import Waiting
from streams.stages.watch_rows import Series, SeriesRow
from tests.engine.positions_harness import Outcome, reference_plan, run_watch, schedule

SCHEDULES = 120
ALERTS = Path(watch_partition.__file__).parents[1] / "profiles" / "finance" / "alerts.yaml"


def eager_config(*, collapse: bool = True) -> AlertConfig:
    """The shipped rules without the warm-up, so that a short schedule raises alerts too."""
    rules = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    return AlertConfig.from_mapping(rules | {"warm_up_days": 0, "collapse": collapse}, name="test")


async def outcomes(
    seed: int, config: AlertConfig, *, batches_in_order: bool = True, rows_in_order: bool = True
) -> tuple[Outcome, Outcome]:
    rng = random.Random(seed)
    plan = schedule(rng, keeps_order=batches_in_order)
    got = await run_watch(rng, plan, config, crashes=True, keeps_order=rows_in_order)
    want = await run_watch(random.Random(0), reference_plan(plan), config, crashes=False)
    return got, want


@pytest.mark.parametrize(("collapse", "schedules"), [(True, SCHEDULES), (False, SCHEDULES // 3)])
async def test_counts_and_alerts_equal_the_reference(collapse: bool, schedules: int) -> None:
    config = eager_config(collapse=collapse)
    alerts = 0
    for seed in range(schedules):
        got, want = await outcomes(seed, config)
        assert got.alerts == want.alerts, f"seed {seed}"
        assert got.rows == want.rows, f"seed {seed}"
        alerts += len(want.alerts)
    assert alerts > 0, "the schedules never raise an alert, so they say nothing about alerts"


def no_partition_rule(self: SourcePositions, batch: MentionBatch) -> tuple[MentionItem, ...]:
    return batch.items


def batch_end_rule(self: SourcePositions, batch: MentionBatch) -> tuple[MentionItem, ...]:
    last = self.last.get(batch.epoch, {}).get(batch.partition, -1)
    return batch.items if batch.items and batch.items[-1].offset > last else ()


class _ForgetfulSeries(Series):
    """Breaks the row rule: the row does not remember the tick up to which it counts."""

    __slots__ = ()

    @classmethod
    def restored(cls, name: str, row: SeriesRow) -> Series:  # type: ignore[override]
        entry = Series.restored(name, row)
        entry.state.tick_ms = 0
        return entry


def all_that_waits(self: Waiting, rows: dict[str, bytes], own_offset: int, closed_ms: int) -> Iterator[None]:
    return restore_waiting(self, rows, 1 << 62, closed_ms)


restore_waiting = Waiting.restore

WEAKENED: dict[str, tuple[object, str, object]] = {
    "no partition rule": (SourcePositions, "fresh", no_partition_rule),
    "batch end": (SourcePositions, "fresh", batch_end_rule),
    "no row rule": (watch_series, "Series", _ForgetfulSeries),
    "what waits is not cut back": (Waiting, "restore", all_that_waits),
    "copies are not cut back": (Part, "until", lambda self, _: self),
}


@pytest.mark.parametrize("rule", [*WEAKENED, "batches land behind a refused", "rows land behind a refused"])
async def test_a_weakened_rule_is_found_out(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if rule in WEAKENED:
        monkeypatch.setattr(*WEAKENED[rule])
    config = eager_config(collapse=rule != "what waits is not cut back")  # else a copy of itself does not count
    for seed in range(SCHEDULES):
        try:
            got, want = await outcomes(
                seed, config, batches_in_order="batches" not in rule, rows_in_order="rows" not in rule
            )
        except AssertionError:
            return
        if got.rows != want.rows or got.alerts != want.alerts:
            return
    pytest.fail("no schedule found the weakened rule out")
