"""The versions of a run, written down before any effect of it: how a model changes at an exact offset.

    run ─► row of the partition ─► other models or watchlists are wanted? ─► line (offset ─► models), acknowledged
                                                                 └─► parts of the run, each with its classifiers

The offset of a swap must be one that no worker can have scored, not even one that died or was stopped during a run.
Two such are known:

- the end of the partition when this worker first read it after it was assigned: what was handed out to those before
  stood before that end, for a worker whose lease has run out begins no run;
- the end of the last run that this worker began itself since then.

The later of the two is taken. So a swap comes with the next run where a worker is up to date, and after the records
that were waiting where it has just taken over. Where there is no line yet, nothing was scored: a line is
written before the first effect.

What is left: a worker that is stopped between the check of its lease and its line, for longer than its session, and
writes the line when its successor has passed that offset and learnt of no promotion itself. The successor writes its
own line within a few seconds, at a later position, which wins in recovery; until then only a crash of the successor
would show the late one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models import Classifier, ModelError
from streams.engine.ports import StateStore
from streams.engine.runs import Run
from streams.errors import Retry
from streams.serving.model_cache import ModelCache
from streams.serving.versions import ActiveModels, Line, VersionRow
from streams.serving.watched import LISTS_PREFIX, RunningLists, WatchedLists

__all__ = ["VERSIONS_KEY", "FixedVersions", "Part", "SwappedVersions"]

VERSIONS_KEY = "versions"

_MISSING_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """Records of a run before `end_offset` (and after the parts before it), and what scores them.

    `lists` are the watchlists that people changed, None without any.
    """

    end_offset: int
    promotion: int
    classifiers: Mapping[str, Classifier]
    lists: RunningLists | None = None


class FixedVersions:
    """The same models for ever, written down nowhere: for tests, benchmarks and stages without a state."""

    def __init__(self, classifiers: Mapping[str, Classifier]) -> None:
        self._classifiers = classifiers

    async def of(self, run: Run) -> Sequence[Part]:
        return [Part(run.last_offset + 1, 0, self._classifiers)]

    def forget(self, partition: int) -> None:
        """Nothing is kept."""


class SwappedVersions:
    """The versions of a stage's runs, kept in the rows of `state`."""

    def __init__(self, cache: ModelCache, state: StateStore, lists: WatchedLists | None = None) -> None:
        self._cache = cache
        self._state = state
        self._lists = lists or WatchedLists()
        self._begun: dict[tuple[int, str], int] = {}
        """Per partition and epoch the first offset that no worker can have scored, as far as is known here."""

    async def of(self, run: Run) -> Sequence[Part]:
        """The parts of the run in order; returns when the lines that they follow are acknowledged.

        Raises `Retry` when a version that the run needs cannot be loaded: the partition waits for it.
        """
        row = VersionRow.from_bytes(self._state.get(run.partition, VERSIONS_KEY))
        wanted, latest = self._cache.wanted, row.latest(run.epoch)
        unscored = self._unscored(run)
        active = wanted if latest is None else wanted.after(latest)
        if active != latest:
            row = row.extended(run.epoch, 0 if latest is None else unscored, active)
            await self._write(run.partition, row, active.lists)
        lines = row.covering(run.epoch, run.first_offset, run.last_offset)
        ends = [line.first_offset for line in lines[1:]] + [run.last_offset + 1]
        return [await self._part(run.partition, line, end) for line, end in zip(lines, ends, strict=True)]

    async def _write(self, partition: int, row: VersionRow, digest: str) -> None:
        """The lists are written before the line that needs them; those that no line needs any longer go last."""
        stored = {key for key, _ in self._state.items(partition) if key.startswith(LISTS_PREFIX)}
        rows: dict[str, bytes | None] = {VERSIONS_KEY: row.to_bytes()}
        body = self._lists.body(digest)
        if body is not None and LISTS_PREFIX + digest not in stored:
            rows = {LISTS_PREFIX + digest: body, **rows}
        await self._state.put(partition, rows)
        spent = stored - {LISTS_PREFIX + name for name in row.digests}
        if spent:
            await self._state.put(partition, dict.fromkeys(spent))

    def _unscored(self, run: Run) -> int:
        """The first offset that no worker can have scored when the run begins; from then on it counts as scored."""
        place = run.partition, run.epoch
        unscored = self._begun.get(place, run.end_offset)
        self._begun[place] = max(unscored, run.last_offset + 1)
        return unscored

    async def _part(self, partition: int, line: Line, end_offset: int) -> Part:
        stored = self._state.get(partition, LISTS_PREFIX + line.active.lists) if line.active.lists else None
        lists = self._lists.running(line.active.lists, stored)
        return Part(end_offset, line.active.promotion, await self._classifiers(line.active), lists)

    async def _classifiers(self, active: ActiveModels) -> Mapping[str, Classifier]:
        held = self._cache.cached(active)
        if held is not None:
            return held
        try:
            return await asyncio.to_thread(self._cache.classifiers, active)
        except ModelError as error:
            raise Retry(
                f"records that an earlier model began to score wait for it: {error}", _MISSING_WAIT_SECONDS
            ) from error

    def forget(self, partition: int) -> None:
        """The partition is another worker's now: what it begins is not known here."""
        self._begun = {place: offset for place, offset in self._begun.items() if place[0] != partition}
