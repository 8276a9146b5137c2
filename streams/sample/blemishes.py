"""Broken and odd records, as real feeds bring them: each is rejected with its reason or read after cleaning."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

__all__ = ["REJECTED", "UNDATED", "blemishes"]

_SOURCE = "Loose Ends Gazette"
_LONG_TEXT = "The report goes on and on. " * 80_000  # 2 MB


def _line(moment: datetime, number: int, **fields: Any) -> bytes:
    record = {"id": number, "published": moment.isoformat(), "source": _SOURCE, "title": "A quiet day at the exchange"}
    return json.dumps({key: value for key, value in (record | fields).items() if value is not None}).encode()


_Make = Callable[[datetime, int], bytes] | bytes

REJECTED: dict[str, tuple[_Make, ...]] = {
    "bad_json": (
        lambda moment, n: _line(moment, n)[:-20],
        b"<html><body>502 Bad Gateway</body></html>",
        b"\x00\x01\x02\xff\xfe",
    ),
    "no_title": (
        lambda moment, n: _line(moment, n, title=None, summary="A text that lost its title."),
        lambda moment, n: _line(moment, n, title=" \x07\x00 "),
    ),
    "bad_type": (lambda moment, n: _line(moment, n, title=["A", "list"]),),
    "not_an_object": (b'["a", "list"]', b"null"),
}
"""Records that cannot be processed, or their makers, by the reason of their rejection."""

UNDATED: tuple[_Make, ...] = (
    lambda moment, n: _line(moment, n, published="some time last week", title="Exchange extends its lunch break"),
    lambda moment, n: _line(moment, n, published=0, title="Clock of the exchange stands still"),
    lambda moment, n: _line(moment, n, published=None, title="Cafeteria of the exchange changes its menu"),
)
"""Makers of records without a date that makes sense: a feed's are items, a replay parks them as `no_date`."""

_ODD: tuple[_Make, ...] = (
    lambda moment, n: _line(moment, n, published="2093-01-01T00:00:00Z", title="Bell tower of the exchange repaired"),
    lambda moment, n: _line(
        moment, n, title="<b>Traders</b> &amp; brokers <i>meet</i> in {Hall} 4<script>x()</script>"
    ),
    lambda moment, n: _line(moment, n, title="Brokers\u202e wait \x07for\x00 the\u200b bell\ud800"),
    lambda moment, n: _line(moment, n, title="Curb ex\u00adchange cele\u0301brates\tits\r\n1,000th day").replace(
        b"Curb", b"Curb\xff\xfe"
    ),
    lambda moment, n: _line(moment, n, title="Exchange publishes its longest report", text=_LONG_TEXT),
    lambda moment, n: _line(moment, n, title="Exchange counts to infinity", volume=float("nan"), turnover=float("inf")),
    b"",
)


def blemishes(start: datetime, days: int, rng: random.Random) -> Iterator[tuple[datetime, bytes]]:
    """Yields (moment, line) in order of time: every kind once."""
    makers = [*(make for group in REJECTED.values() for make in group), *UNDATED, *_ODD]
    moments = sorted(start + timedelta(seconds=rng.randrange(3600, days * 86_400)) for _ in makers)
    rng.shuffle(makers)
    for number, (moment, make) in enumerate(zip(moments, makers, strict=True), start=1):
        yield moment, make if isinstance(make, bytes) else make(moment, number)
