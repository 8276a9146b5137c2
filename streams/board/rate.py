"""How many requests one address may send: a bucket of tokens each, of which the least used are forgotten."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Rate", "RateLimit"]

_MOST_ADDRESSES = 4_096
_PREFIX_V6 = 64  # one customer has a network of this size at least


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second in the long run, and so many at once."""

    per_second: float
    burst: int


class RateLimit:
    """Says whether a request may be answered; `clock` gives seconds that only grow."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was

    def wait_seconds(self, address: str) -> float:
        """Takes a request of an address into account; returns 0, or after how many seconds to try again."""
        key, now = _key(address), self._clock()
        left, before = self._left.pop(key, (float(self._rate.burst), now))
        left = min(float(self._rate.burst), left + (now - before) * self._rate.per_second)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        if len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate.per_second


def _key(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found), _PREFIX_V6), strict=False))
