"""A record above the limit is refused before anything of its batch is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import limits
from streams.engine.ports import Send
from streams.errors import Reject, TooLarge, TransportError
from streams.transport.outbox import FaustOutbox

KAFKA_DEFAULT_BYTES = 1_048_588


class Broker:
    """An app's consumer and producer at once; keeps what it got."""

    def __init__(self) -> None:
        self.consumer = self.producer = self
        self.sent: list[Send] = []

    async def check_lease(self, event: object) -> None: ...

    async def send_batch(self, sends: list[Send]) -> None:
        self.sent += sends


def test_what_we_send_fits_a_topic_with_kafkas_default() -> None:
    assert limits.needed_bytes(max(limits.RECORD_BYTES, limits.BATCH_BYTES)) <= KAFKA_DEFAULT_BYTES


async def test_a_record_above_the_limit_is_a_reject_and_its_neighbours_are_not_sent() -> None:
    broker = Broker()
    small, large = Send("t", b"k", b"v"), Send("t", b"k", b"v" * limits.RECORD_BYTES)
    with pytest.raises(TooLarge, match="topic t") as caught:
        await FaustOutbox(broker).send([small, large])
    assert isinstance(caught.value, Reject)
    assert caught.value.reason == "too_large"
    assert broker.sent == []
    await FaustOutbox(broker).send([small])
    assert broker.sent == [small]


def test_a_row_above_the_limit_names_its_key() -> None:
    with pytest.raises(TransportError, match=r"row 3\|s/all of c"):
        limits.check_rows([Send("c", b"3|s/all", b"v" * limits.ROW_BYTES)])


@given(st.binary(max_size=9), st.none() | st.binary(max_size=9), st.lists(st.tuples(st.just("at"), st.binary())))
def test_the_size_counts_key_value_and_headers(
    key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    send = Send("t", key, value, headers=tuple(headers))
    assert limits.record_bytes(send) == len(key) + len(value or b"") + sum(2 + len(told) for _, told in headers)
