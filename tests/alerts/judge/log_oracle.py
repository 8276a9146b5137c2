"""What should be sent, told from a log: the plain function over events at their ticks and decisions at their places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts import AlertEvent
from alerts.clock import MINUTE_MS
from alerts.judge import Clock, Decision, Entry, Policy, Seal
from tests.alerts.judge.judge_oracle import Oracle, Sent

__all__ = ["said", "start_of", "times_in"]


def times_in(log: Iterable[tuple[int, Entry | None]]) -> list[tuple[int, int]]:
    """The place of every entry since the first tick that all sealed, and the time after it; for a log of no absence."""
    found: list[tuple[int, int]] = []
    sealed: dict[int, int] = {}
    now_ms = 0
    for place, entry in log:
        if isinstance(entry, Seal):
            sealed[entry.partition] = max(entry.tick_ms, sealed.get(entry.partition, 0))
            if len(sealed) == entry.of:
                now_ms = max(now_ms, min(sealed.values()))
        elif isinstance(entry, Clock):
            assert not entry.without
            now_ms = max(now_ms, entry.at_ms)
        if now_ms:
            found.append((place, now_ms))
    return found


def start_of(times: Sequence[tuple[int, int]]) -> int:
    """The minute from which the plain function counts."""
    return times[0][1] // MINUTE_MS * MINUTE_MS


def said(
    policy: Policy,
    events: Iterable[AlertEvent],
    decisions: Iterable[tuple[int, Decision]],
    times: Sequence[tuple[int, int]],
    hop_ms: int,
) -> list[Sent]:
    """What the plain function says of all events, and of decisions that came at these places."""
    at_tick: dict[int, list[AlertEvent]] = {}
    for event in events:
        at_tick.setdefault(event.updated_ms, []).append(event)
    by_time: dict[int, list[Decision]] = {}
    for place, decision in decisions:
        by_time.setdefault(max(now_ms for at, now_ms in times if at < place), []).append(decision)
    oracle = Oracle(policy, start_of(times), hop_ms)
    for now_ms in range(oracle.start, times[-1][1] + 1, hop_ms):
        oracle.minute(at_tick.pop(now_ms, []), by_time.pop(now_ms, []), now_ms)
    assert not at_tick
    assert not by_time
    return oracle.sent
