"""What the judge of alerts knows, as commands see it: read from the rows of `deliver`, beside workers or without.

changelog of `deliver` ─► the judge's rows, whole ─► JudgeState: alerts, groups, silences, subscriptions, watchlists
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from alerts.judge.rows import (
    ALERT,
    GROUP,
    META,
    MUTE,
    SUBSCRIPTION,
    WATCHLIST,
    AlertRow,
    GroupRow,
    MetaRow,
    MuteRow,
    SubscriptionRow,
    WatchlistRow,
    row_of,
)
from streams.jobs.resend import rows_of
from streams.namespaces import Kind
from streams.stages.deliver_journal import restored
from streams.stages.deliver_rows import PARTITION_KEY, PartitionRow
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["JudgeState", "judge_of", "read_judge"]


@dataclass(slots=True)
class JudgeState:
    """By id or name. `now_ms` is the time of ticks, 0 before the first."""

    now_ms: int = 0
    alerts: dict[str, AlertRow] = field(default_factory=dict)
    groups: dict[str, GroupRow] = field(default_factory=dict)
    mutes: dict[str, MuteRow] = field(default_factory=dict)
    subscriptions: dict[str, SubscriptionRow] = field(default_factory=dict)
    watchlists: dict[str, WatchlistRow] = field(default_factory=dict)

    def event_ms(self, kind: Kind | None, clock_ms: int) -> int:
        """Returns now in the time that the judge compares ends with: in a replay that of the last tick.

        `clock_ms` is the wall clock, which it is in a namespace of another kind, and before the first tick.
        """
        return self.now_ms if kind is Kind.REPLAY and self.now_ms else clock_ms

    @property
    def versions(self) -> Mapping[str, int]:
        """What a decision about an alert or a group carries as `seen`, by id."""
        groups = {name: group.revision for name, group in self.groups.items()}
        return groups | {name: alert.seen_version for name, alert in self.alerts.items()}


def read_judge(broker: Broker, topics: Topics) -> JudgeState:
    """Returns what the judge knows now; nothing where `deliver` has never run.

    Raises `NewerVersion`, and `alerts.StateError` for rows of another version.
    """
    return judge_of(rows_of(broker, topics))


def judge_of(rows_by_partition: Mapping[int, Mapping[str, bytes]]) -> JudgeState:
    """Returns what these rows of `deliver` say, by partition and key. Raises as `read_judge`."""
    state = JudgeState()
    for rows in rows_by_partition.values():
        partition = PartitionRow.restored(rows.get(PARTITION_KEY))
        _take(state, restored(rows, partition.own_offset).rows)
    return state


def _take(state: JudgeState, rows: Mapping[str, bytes]) -> None:
    if META in rows:
        state.now_ms = row_of(rows[META], MetaRow).now_ms
    state.alerts |= _named(rows, ALERT, AlertRow)
    state.groups |= _named(rows, GROUP, GroupRow)
    state.mutes |= _named(rows, MUTE, MuteRow)
    state.subscriptions |= _named(rows, SUBSCRIPTION, SubscriptionRow)
    state.watchlists |= _named(rows, WATCHLIST, WatchlistRow)


R = TypeVar("R", AlertRow, GroupRow, MuteRow, SubscriptionRow, WatchlistRow)


def _named(rows: Mapping[str, bytes], prefix: str, kind: type[R]) -> dict[str, R]:
    return {key.removeprefix(prefix): row_of(row, kind) for key, row in rows.items() if key.startswith(prefix)}
