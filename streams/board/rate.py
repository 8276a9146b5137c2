"""How many requests one address may send: a bucket of tokens each, of which the least used are forgotten."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Final

from streams.board.problem import Problem

__all__ = ["MOST_ADDRESSES", "Rate", "RateLimit", "too_many"]

MOST_ADDRESSES: Final = 4_096
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
        left, wait_seconds = self._left_of(address), self.would_wait_seconds(address)
        self._left[_key(address)] = (left if wait_seconds else left - 1, self._clock())
        self._left.move_to_end(_key(address))
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)
        return wait_seconds

    def would_wait_seconds(self, address: str) -> float:
        """Returns what `wait_seconds` would, and takes nothing into account."""
        return max(0.0, (1 - self._left_of(address)) / self._rate.per_second)

    def _left_of(self, address: str) -> float:
        burst, now = float(self._rate.burst), self._clock()
        left, before = self._left.get(_key(address), (burst, now))
        return min(burst, left + (now - before) * self._rate.per_second)


def _key(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found), _PREFIX_V6), strict=False))


def too_many(what: str, wait_seconds: float) -> Problem:
    """Returns the problem 429 that says how long to wait."""
    seconds = max(1, ceil(wait_seconds))
    detail = f"too many {what} from your address: wait {seconds} s"
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(seconds)})
