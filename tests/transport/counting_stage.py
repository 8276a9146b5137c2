"""A stage that counts with positions: exact over any crash, if runs come in order and rows are restored.

Used by the contract tests in this process and by `worker_program.py` in processes that get killed.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streams.engine.ports import Outbox, Send, StateStore
from streams.engine.runs import Run

PLACE = "p"


@dataclass
class CountingStage:
    """Counts records per key in rows, copies new ones to `out`, remembers every run that it was handed.

    The row of a key holds [last applied offset, count]; the partition's row holds the offset up to which all
    is applied. `before_effect` may wait or fail.
    """

    state: StateStore
    outbox: Outbox
    out: str | None = None
    before_effect: Callable[[Run], Awaitable[None]] | None = None
    runs: list[Run] = field(default_factory=list)
    offsets: dict[int, list[int]] = field(default_factory=dict)
    ticks: list[tuple[int, int]] = field(default_factory=list)
    ticked: asyncio.Event = field(default_factory=asyncio.Event)
    forgotten: list[int] = field(default_factory=list)

    async def handle(self, run: Run) -> None:
        self.runs.append(run)
        self.offsets.setdefault(run.partition, []).extend(record.offset for record in run.records)
        if self.before_effect is not None:
            await self.before_effect(run)
        done = int(self.state.get(run.partition, PLACE) or -1)
        new = [record for record in run.records if record.offset > done]
        if self.out is not None:
            await self.outbox.send([Send(self.out, record.key, record.value) for record in new])
        rows: dict[str, bytes | None] = {}
        for key, count in Counter((record.key or b"").decode() for record in new).items():
            last = max(record.offset for record in new if (record.key or b"").decode() == key)
            applied, before = json.loads(self.state.get(run.partition, f"n/{key}") or b"[-1, 0]")
            if last > applied:
                fresh = sum(1 for r in new if (r.key or b"").decode() == key and r.offset > applied)
                assert fresh <= count
                rows[f"n/{key}"] = json.dumps([last, before + fresh]).encode()
        await self.state.put(run.partition, rows)
        await self.state.put(run.partition, {PLACE: str(run.last_offset).encode()})

    async def idle(self, partition: int, now_ms: int) -> None:
        self.ticks.append((partition, now_ms))
        self.ticked.set()

    def forget(self, partition: int) -> None:
        self.forgotten.append(partition)

    def counts(self, partitions: int) -> dict[str, int]:
        """What the rows say, over all partitions."""
        found: Counter[str] = Counter()
        for partition in range(partitions):
            for key, value in self.state.items(partition):
                if key.startswith("n/"):
                    found[key[2:]] += json.loads(value)[1]
        return dict(found)
