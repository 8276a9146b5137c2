"""What the archive refuses is parked with its reason, like any bad record, and is neither published nor counted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.archive.memory import MemoryArchive
from streams.archive.protocol import Claims, Refused, Written
from streams.feeds.rejects import RejectRecord
from streams.records import Scored
from tests.engine.positions_harness import FakeOutbox, Fuse
from tests.stages.test_score_stage import TOPICS, batches, make_stage, news, record, run_of


class Choosy(MemoryArchive):
    """Refuses what has number 1 in its title."""

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        good = [item for item in items if "number 1 " not in item.news.title]
        written = iter(await super().write_items(good, claims))
        return [next(written) if item in good else Refused("parse", "failed to parse [x]") for item in items]


async def test_a_refused_item_is_parked_and_its_neighbours_go_on() -> None:
    archive, outbox = Choosy(), FakeOutbox(Fuse())
    await make_stage(archive, outbox).handle(run_of([record(offset, news(offset)) for offset in range(3)]))
    (parked,) = [send for send in outbox.sent if send.topic == TOPICS.rejects]
    assert parked.value is not None
    reject = msgspec.json.decode(parked.value, type=RejectRecord)
    assert (reject.reason, reject.detail, reject.id) == ("archive_parse", "failed to parse [x]", "news:0:1:e")
    assert msgspec.json.decode(reject.raw_bytes()) == news(1)
    assert len([send for send in outbox.sent if send.topic == TOPICS.scored]) == 2
    assert {item.offset for batch in batches(outbox) for item in batch.items} == {0, 2}
