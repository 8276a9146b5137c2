"""News good for one company and bad for another: what is asked of the model, told to `watch`, and asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest

from models import Places, Probabilities, normalise
from streams.archive.memory import MemoryArchive
from streams.engine.positions import SourcePositions
from streams.feeds.fieldmap import FieldMap
from streams.records import MentionBatch, MentionItem, Scored
from streams.stages import mentions
from streams.stages.classify import classify_again, with_verdict
from streams.stages.mentions import mention_sends
from streams.stages.score import ScoreOptions, ScoreStage
from tests.engine.positions_harness import FakeOutbox, Fuse
from tests.stages.test_score_stage import NOW_MS, PROFILE, READER, TOPICS, batches, record, run_of

POLES = ("negative", "neutral", "positive")


class OfTwoMinds:
    """Every text is neutral; towards an entity it is negative where `sued` stands right before its place.

    It knows the added topic Lawsuit, of which are the texts that say `sued`.
    """

    name, version = "minds", "1"
    labels: Mapping[str, tuple[str, ...]] = {"sentiment": POLES, "topic/Lawsuit": ("other", "Lawsuit")}
    entity_labels: Mapping[str, tuple[str, ...]] = {"entity": POLES}

    def __init__(self) -> None:
        self.asked: list[str] = []

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        lawsuits = np.array(["sued" in text for text in texts])
        answers: dict[str, Probabilities] = {
            "sentiment": np.tile(np.array([0.1, 0.8, 0.1], np.float32), (len(texts), 1)),
            "topic/Lawsuit": np.stack([0.2 + 0.6 * ~lawsuits, 0.2 + 0.6 * lawsuits], axis=1).astype(np.float32),
        }
        if entities is not None:
            rows = []
            for text, spans in zip(map(normalise, texts), entities, strict=True):
                for span in spans:
                    self.asked.append(text[span.start : span.end])
                    rows.append([0.9, 0.1, 0.0] if text[: span.start].endswith("sued ") else [0.0, 0.1, 0.9])
            answers["entity"] = np.array(rows, np.float32).reshape(-1, 3)
        return answers

    def close(self) -> None:
        """Nothing is held."""


def news(number: int, title: str, *entities: str) -> dict[str, object]:
    return {"id": str(number), "title": title, "source": "wire", "language": "en", "entities": entities}


async def scored(*records: dict[str, object]) -> tuple[list[Scored], FakeOutbox, OfTwoMinds]:
    archive, outbox, model = MemoryArchive(), FakeOutbox(Fuse()), OfTwoMinds()
    options = ScoreOptions(topics=TOPICS, mentions_partitions=1)
    stage = ScoreStage(
        options, PROFILE, READER, {"en": model}, archive, outbox, FieldMap.default(), clock=lambda: NOW_MS
    )
    await stage.handle(run_of([record(offset, value) for offset, value in enumerate(records)]))
    return await archive.items_after(epoch="e", partition=0, after_offset=-1, limit=99), outbox, model


def told(items: Sequence[MentionItem]) -> dict[str, int]:
    return {name: int("negative" in item.signals) for item in items for name in item.series}


SUING = news(1, "Northbank & Sons sued Eastcar over faulty brakes", "Northbank & Sons", "Eastcar", "Absent Ltd")


async def test_each_entity_is_judged_where_the_title_names_it() -> None:
    (item,), outbox, model = await scored(SUING)
    assert model.asked == ["Northbank & Sons", "Eastcar"]
    labels = [(one.id, one.heads["entity"].label if one.heads else None) for one in item.entities]
    assert labels == [("Northbank & Sons", "positive"), ("Eastcar", "negative"), ("Absent Ltd", None)]
    assert item.heads["topic/Lawsuit"].label == "Lawsuit"
    (batch,) = batches(outbox)
    assert told(SourcePositions().fresh(batch)) == {
        "all": 0, "source/wire": 0, "topic/Lawsuit": 0, "entity/Northbank & Sons": 0, "entity/Eastcar": 1,
        "entity/Absent Ltd": 0,
    }  # fmt: skip


async def test_texts_without_entities_ask_for_none() -> None:
    items, _, model = await scored(news(1, "Grain prices unmoved"), SUING, news(2, "Harvest on time"))
    assert model.asked == ["Northbank & Sons", "Eastcar"]
    assert [[bool(one.heads) for one in item.entities] for item in items] == [[], [True, True, False], []]


async def test_an_archived_item_asked_again_is_judged_alike() -> None:
    items, _, model = await scored(SUING, news(2, "Southship sued Northbank", "Northbank"))
    again = classify_again(PROFILE, {"en": model}, items)
    assert [with_verdict(item, verdict) for item, verdict in zip(items, again, strict=True)] == items


async def test_a_model_without_an_entity_head_takes_old_verdicts_away() -> None:
    items, _, _ = await scored(SUING)
    plain = OfTwoMinds()
    plain.entity_labels = {}
    (verdict,) = classify_again(PROFILE, {"en": plain}, items)
    assert [one.heads for one in verdict.entities] == [{}] * 3
    assert [one.place for one in verdict.entities] == [one.place for one in items[0].entities]


@pytest.mark.parametrize("most", [1, 2])
async def test_the_mentions_of_an_item_are_never_parted(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    items, _, _ = await scored(SUING, *(SUING | {"id": str(number)} for number in range(2, 5)))
    monkeypatch.setattr(mentions, "MENTIONS", most)
    sends = mention_sends("m", 1, epoch="e", partition=0, partitions=1, progress_ms=NOW_MS, items=items)
    positions, counted = SourcePositions(), 0
    for send in sends:
        batch = msgspec.json.decode(send.value or b"", type=MentionBatch)
        counted += sum("entity/Eastcar" in item.series for item in positions.fresh(batch) if "negative" in item.signals)
        positions.advance(batch)
    assert (len(sends), counted) == (4 // most, 4)
