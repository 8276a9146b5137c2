"""What of the topic `control` nobody needs any longer, so that what people decide does not grow it for ever. Pure.

    records, in order ─┬─ decisions ──────────► judged: `alerts` and the audit trail have them
                       └─ removed watchlists ─► followed by another change, whose number is the higher one

The topic is compacted by key and every decision has a key of its own: what is spent is deleted by a record of its key
without a value.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.alert_log import DECISION_KEY
from streams.engine.runs import Record
from streams.serving.control import Watched, watched_in

__all__ = ["Sweep"]


class Sweep:
    """The keys of `control` that will be spent, with what spends them."""

    def __init__(self) -> None:
        self._decisions: dict[bytes, int] = {}
        self._lists: dict[bytes, Watched] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Takes what was read of the topic, in its order."""
        for record in records:
            key = record.key or b""
            if key.startswith(DECISION_KEY.encode()):
                self._take_decision(key, record)
            else:
                self._take_list(key, record)

    def _take_decision(self, key: bytes, record: Record) -> None:
        """The last of a key: one that is sent again is judged again."""
        if record.value is None:
            self._decisions.pop(key, None)
        else:
            self._decisions[key] = record.offset

    def _take_list(self, key: bytes, record: Record) -> None:
        self._lists.pop(key, None)
        if (found := watched_in(record)) is not None:
            self._lists[key] = found

    def spent(self, judged: int) -> list[bytes]:
        """Returns the keys that can be deleted when decisions up to the offset `judged` are."""
        decisions = [key for key, offset in self._decisions.items() if offset <= judged]
        # The last change stays, for workers take lists of a higher number only (`ActiveModels`).
        latest = max((one.change for one in self._lists.values()), default=0)
        return decisions + [key for key, one in self._lists.items() if one.body is None and one.change < latest]

    def forget(self, keys: Iterable[bytes]) -> None:
        """These were deleted."""
        for key in keys:
            self._decisions.pop(key, None)
            self._lists.pop(key, None)
