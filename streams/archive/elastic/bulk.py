"""Bulk requests: bounded in bytes, several in flight, each action settled or the whole write is tried again.

actions ─► chunks of at most bulk_bytes ─► in flight ─► per action: done | conflict | missing | refused
                                               ▲              └─ again: only those, with back-off
                                               └──────────────── 413: the chunk in two halves
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.session import NDJSON, Answer, Session
from streams.archive.elastic.verdicts import Verdict, error_of, judge

__all__ = ["Action", "Bulk", "Settled"]

TARGET = (
    "/_bulk?filter_path=items.*.status,items.*._seq_no,items.*.error.type,items.*.error.reason,items.*.error.caused_by"
)
MOST_ACTIONS = 5_000


@dataclass(frozen=True, slots=True)
class Action:
    """One line of instructions and one of document, each JSON without a line's end."""

    line: bytes
    source: bytes

    @classmethod
    def of(cls, operation: str, index: str, key: str, source: bytes, **options: object) -> Action:
        return cls(msgspec.json.encode({operation: {"_index": index, "_id": key, **options}}), source)

    @classmethod
    def newest(cls, index: str, key: str, source: bytes, version: int) -> Action:
        """Stores the document unless the key has one of this version or a later one: a late writer changes nothing."""
        return cls.of("index", index, key, source, version=version, version_type="external")

    @property
    def size(self) -> int:
        return len(self.line) + len(self.source) + 2


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an action: done, conflict, missing, or refused with Elasticsearch's `reason`."""

    verdict: Verdict
    kind: str = ""
    reason: str = ""


_DONE = Settled(Verdict.DONE)
_CONFLICT = Settled(Verdict.CONFLICT)


class _ItemResult(msgspec.Struct):
    status: int
    error: dict[str, Any] | None = None
    number: int | None = msgspec.field(name="_seq_no", default=None)
    """Of the operation in its shard, from 0."""

    @property
    def first(self) -> bool:
        """Whether nothing was written before to this shard of the index, or the index is missing."""
        return self.number == 0 or (self.error is not None and self.error.get("type") == "index_not_found_exception")


class _BulkAnswer(msgspec.Struct):
    items: list[dict[str, _ItemResult]] = msgspec.field(default_factory=list)


_decoder = msgspec.json.Decoder(_BulkAnswer)


async def _unheard() -> None: ...


@dataclass(slots=True)
class Bulk:
    """Sends actions for one archive; the bound of requests in flight is shared by all its writers.

    `on_first` is called where an index got its first document, before the actions count as done, and may raise `Retry`.
    """

    session: Session
    options: ElasticOptions
    on_first: Callable[[], Awaitable[None]] = _unheard
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.options.in_flight)

    async def send(self, actions: Sequence[Action]) -> list[Settled]:
        """One result an action, in order; raises `Retry` when some could not be settled."""
        settled: list[Settled] = [_DONE] * len(actions)
        chunks = list(self._chunks(actions))
        if len(chunks) == 1:
            await self._send_chunk(actions, chunks[0], settled)
            return settled
        tasks = [asyncio.ensure_future(self._send_chunk(actions, chunk, settled)) for chunk in chunks]
        try:
            await asyncio.gather(*tasks)
        finally:  # after a failure nothing of this attempt may go on beside the next
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return settled

    def _chunks(self, actions: Sequence[Action]) -> Iterator[list[int]]:
        chunk: list[int] = []
        size = 0
        for number, action in enumerate(actions):
            if chunk and (size + action.size > self.options.bulk_bytes or len(chunk) >= MOST_ACTIONS):
                yield chunk
                chunk, size = [], 0
            chunk.append(number)
            size += action.size
        if chunk:
            yield chunk

    async def _send_chunk(self, actions: Sequence[Action], numbers: list[int], settled: list[Settled]) -> None:
        """Until every action of the chunk is settled; what succeeded is not sent again."""
        attempt = 1
        while numbers:
            async with self._slots:
                body = b"\n".join(part for number in numbers for part in _lines(actions[number]))
                answer = await self.session.send("POST", TARGET, body + b"\n", NDJSON)
            if answer.verdict is Verdict.SPLIT:
                await self._split(actions, numbers, settled)
                return
            results = self._results(answer)
            if any(item.first for item in results):
                await self.on_first()
            numbers, problem = self._settle(results, numbers, settled) if results else (numbers, _said(answer))
            if numbers:
                await self.session.wait(attempt, problem, answer.retry_after_seconds)
                attempt += 1
        self.session.all_is_well()

    async def _split(self, actions: Sequence[Action], numbers: list[int], settled: list[Settled]) -> None:
        if len(numbers) == 1:
            size = actions[numbers[0]].size
            settled[numbers[0]] = Settled(
                Verdict.REFUSED, "too_large", f"{size} bytes are more than one request may be"
            )
            return
        middle = len(numbers) // 2
        await self._send_chunk(actions, numbers[:middle], settled)
        await self._send_chunk(actions, numbers[middle:], settled)

    def _results(self, answer: Answer) -> list[_ItemResult]:
        """One an action; none where the request is to be sent again. Raises `Retry` for trouble."""
        if answer.verdict is Verdict.AGAIN:
            return []
        if answer.verdict is not Verdict.DONE:
            self.session.fail(_said(answer))
        return [item for result in _decoder.decode(answer.body).items for item in result.values()]

    def _settle(
        self, results: Sequence[_ItemResult], numbers: list[int], settled: list[Settled]
    ) -> tuple[list[int], str]:
        """Enter what is settled; those to send again, and why. Raises `Retry` for trouble."""
        again: list[int] = []
        problem = ""
        for number, item in zip(numbers, results, strict=True):
            if item.status in (200, 201):
                settled[number] = _DONE
                continue
            kind, reason = error_of(item.error or {})
            verdict = judge(item.status, kind, reason)
            if verdict is Verdict.AGAIN:
                again.append(number)
                problem = problem or f"bulk item: {item.status} {kind} {reason}"
            elif verdict in (Verdict.TROUBLE, Verdict.SPLIT):
                self.session.fail(f"bulk item: {item.status} {kind} {reason}")
            else:
                settled[number] = _CONFLICT if verdict is Verdict.CONFLICT else Settled(verdict, kind, reason)
        return again, problem


def _said(answer: Answer) -> str:
    return f"bulk: {answer.status} {' '.join(error_of(answer.json()))}"


def _lines(action: Action) -> tuple[bytes, ...]:
    return (action.line, action.source) if action.source else (action.line,)  # a deletion has no document
