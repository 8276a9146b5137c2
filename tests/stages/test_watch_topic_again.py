"""A mentions topic that was deleted and made again: its records count, though their offsets start from 0."""

from __future__ import annotations

import msgspec

from alerts import AlertConfig
from streams.engine.runs import Record
from streams.records import VERSION, MentionBatch, MentionItem
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import load_profile

CONFIG = AlertConfig.of(load_profile("finance").rules)
START_MS = 1_750_000_000_000
SERIES = "entity/LND"


def mention(number: int, own_offset: int) -> Record:
    item = MentionItem(number, f"{number:032x}", START_MS + number * 1_000, number, {}, (SERIES,))
    batch = MentionBatch(
        VERSION, "news", partition=0, partitions=1, progress_ms=START_MS + number * 1_000, items=(item,)
    )
    return Record(own_offset, None, msgspec.json.encode(batch), START_MS)


def restored(partition: WatchPartition, rows: dict[str, bytes]) -> WatchPartition:
    rows |= partition.take_rows()
    for key in partition.take_spent():
        rows.pop(key, None)
    return WatchPartition(CONFIG, partition.partition_row(), list(rows.items()))


def test_its_records_count_after_those_of_its_predecessor_and_once() -> None:
    rows: dict[str, bytes] = {}
    partition = WatchPartition(CONFIG, None, [])
    assert not partition.begin("first")
    for number in range(5):
        partition.apply(mention(number, number))
    partition = restored(partition, rows)

    assert partition.begin("second")
    partition.apply(mention(5, 0))
    assert partition.take_rows(), "offset 0 of the new topic looked old"

    partition = restored(partition, rows)
    assert not partition.begin("second")
    partition.apply(mention(5, 0))
    assert not partition.take_rows(), "a record was applied twice"


def test_what_is_late_of_the_old_topic_stays_old() -> None:
    partition = WatchPartition(CONFIG, None, [])
    partition.begin("first")
    partition.apply(mention(0, 0))
    partition.begin("second")
    partition.apply(mention(1, 0))
    partition.take_rows()
    partition.begin("first")
    partition.apply(mention(2, 900))
    assert not partition.take_rows()
