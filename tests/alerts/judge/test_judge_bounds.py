"""The judge's state does not grow with the number of alerts that there ever were."""

from __future__ import annotations

from alerts.judge.judge import KEPT_ENDED
from tests.bench.bench_judge import Load


def test_rows_are_bounded() -> None:
    load = Load()
    load.run(4 * KEPT_ENDED)
    rows, size = len(load.rows), sum(load.rows.values())
    load.run(7 * KEPT_ENDED)
    assert load.messages > 1_000
    assert len(load.rows) < KEPT_ENDED + 500
    assert len(load.rows) < rows + 500
    assert sum(load.rows.values()) < 1.5 * size
