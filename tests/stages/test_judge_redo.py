"""The judge in `deliver` under deaths and refusals between any two rows, redone runs, and workers that write late.

Whatever happens, the same log leads to the same messages, answers and rows of the judge.
"""

from __future__ import annotations

import random
from functools import partial

import pytest

from alerts.judge import Judge, Policy
from streams.stages import deliver_journal
from streams.stages.deliver_journal import JOURNAL_KEY, JOURNAL_PREFIX, journaled, restored
from tests.stages.judge_harness import RECEIVERS, ChainedJudge, MakeJudge, judged, log_of

SCHEDULES = 120
JUDGES: dict[str, MakeJudge] = {"chained": ChainedJudge, "real": partial(Judge, Policy.default(RECEIVERS))}


@pytest.mark.parametrize("name", JUDGES)
async def test_the_same_log_leads_to_the_same_messages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver_journal, "_PART_BYTES", 400)  # several parts
    planned = 0
    for seed in range(SCHEDULES):
        rng = random.Random(seed)
        log = log_of(rng, 40)
        want = await judged(random.Random(0), log, JUDGES[name], calm=True)
        assert await judged(rng, log, JUDGES[name]) == want, f"seed {seed}"
        planned += len(want.planned)
    assert planned > SCHEDULES, "few messages, so this says little"


async def test_without_the_journal_a_crash_would_change_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness finds the fault that the journal prevents."""

    def only_rows(own_offset: int, changed: deliver_journal.Changed) -> dict[str, bytes | None]:
        return {key: row for key, row in journaled(own_offset, changed).items() if not key.startswith(JOURNAL_KEY)}

    monkeypatch.setattr("streams.stages.deliver.journaled", only_rows)
    different = 0
    for seed in range(30):
        rng = random.Random(seed)
        log = log_of(rng, 40)
        want = await judged(random.Random(0), log, ChainedJudge, calm=True)
        different += await judged(rng, log, ChainedJudge) != want
    assert different


def test_a_journal_of_any_size_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver_journal, "_PART_BYTES", 100)
    before: dict[str, bytes] = {}
    for own, size in ((1, 30), (2, 400), (3, 10)):
        changed: dict[str, bytes | None] = {f"j/{n}": b"%d" % own * 20 for n in range(size // 10)}
        changed["j/1"] = None
        written = journaled(own, changed)
        parts = [key for key in written if key.startswith(JOURNAL_PREFIX)]
        assert (len(parts) > 3) is (size == 400)
        for count in range(len(written) + 1):
            rows = before | dict(list(written.items())[:count])
            found = restored({key: row for key, row in rows.items() if row is not None}, own - 1)
            is_whole = count > list(written).index(JOURNAL_KEY)
            assert found.own_offset == (own if is_whole else own - 1)
            assert ("j/1" in found.rows) is (not is_whole and "j/1" in before)
        before = {key: row for key, row in (before | written).items() if row is not None}
