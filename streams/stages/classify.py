"""Items through the classifier of their language: sentiment and topics of each, and the sentiment towards each entity.

titles ─► text heads ─┬─► sentiment, topic
                      └─► topics that users added (`topic/NAME`)
places of entities ─► entity head ─► sentiment towards each
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from models import Classifier, Probabilities, Span, find_span, normalise
from models.artifact import ADDED_TOPIC
from streams.records import EntityMention, Scored, Sentiment, Topic
from streams.stages.reader import ReadItem
from streams.text.profile import Profile, SentimentHead

__all__ = ["Verdict", "classify_again", "classify_items", "with_verdict"]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a classifier says of an item; its `entities` alone when no classifier speaks the language."""

    entities: tuple[EntityMention, ...]
    sentiment: Sentiment | None = None
    topic: Topic | None = None
    topics: tuple[Topic, ...] = ()
    model: str = ""
    model_version: str = ""


def classify_items(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[ReadItem]) -> list[Verdict]:
    """The verdict of each item by its language's classifier, in the order given."""
    results = [Verdict(tuple(_unjudged(item.entities))) for item in items]
    by_language: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if item.language in classifiers:
            by_language.setdefault(item.language, []).append(index)
    for language, indices in by_language.items():
        verdicts = _verdicts(profile, classifiers[language], [items[index] for index in indices])
        for index, verdict in zip(indices, verdicts, strict=True):
            results[index] = verdict
    return results


def classify_again(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> list[Verdict]:
    """The verdicts of `classify_items` on items that were read and scored before."""
    read = [ReadItem(item.news.title, item.news.text, item.language, 0, [], item.entities, ()) for item in items]
    return classify_items(profile, classifiers, read)


def with_verdict(item: Scored, verdict: Verdict) -> Scored:
    """The item as this verdict has it; all that the text says besides is kept."""
    return msgspec.structs.replace(item, **{name: getattr(verdict, name) for name in Verdict.__struct_fields__})


def _verdicts(profile: Profile, classifier: Classifier, items: Sequence[ReadItem]) -> Iterator[Verdict]:
    head = profile.sentiment
    asked = head.entity_head if head.entity_head in classifier.entity_labels else None
    spans = [_spans(item) if asked else [] for item in items]
    heads = classifier.classify([item.title for item in items], spans if any(spans) else None)
    towards = iter(_sentiments(head, classifier.entity_labels[asked], heads[asked]) if asked and any(spans) else ())
    sentiments = _sentiments(head, classifier.labels[head.head], heads[head.head])
    topics, added = _topics(profile, classifier, heads), _added_topics(classifier, heads)
    for number, item in enumerate(items):
        entities = _judged(item.entities, towards) if spans[number] else _unjudged(item.entities)
        yield Verdict(
            tuple(entities), sentiments[number], topics[number], added[number], classifier.name, classifier.version
        )


def _spans(item: ReadItem) -> list[Span]:
    """Where the title, as the classifier reads it, names those of the item's entities that have a place."""
    places = [entity.place for entity in item.entities if entity.place is not None]
    read = normalise(item.title) if places else item.title
    if read == item.title:
        return [Span(*place) for place in places]
    return [find_span(read, normalise(item.title[start:end])) for start, end in places]


def _judged(entities: Sequence[EntityMention], towards: Iterator[Sentiment]) -> Iterator[EntityMention]:
    for one in entities:
        yield msgspec.structs.replace(one, sentiment=None if one.place is None else next(towards))


def _unjudged(entities: Sequence[EntityMention]) -> Iterator[EntityMention]:
    for one in entities:
        yield one if one.sentiment is None else msgspec.structs.replace(one, sentiment=None)


def _sentiments(head: SentimentHead, labels: Sequence[str], probabilities: Probabilities) -> list[Sentiment]:
    """Sentiments rounded to 4 decimals, so that the last bits of a sum never show."""
    order = [labels.index(label) for label in (head.negative, head.neutral, head.positive)]
    rows = np.round(probabilities[:, order].astype(np.float64), 4).tolist()
    names = ("negative", "neutral", "positive")
    return [
        Sentiment(names[max(range(3), key=row.__getitem__)], row[0], row[1], row[2], round(row[2] - row[0], 4))
        for row in rows
    ]


def _topics(profile: Profile, classifier: Classifier, heads: Mapping[str, Probabilities]) -> list[Topic | None]:
    head = profile.topic_head
    if head is None or head not in heads:
        return [None] * len(heads[profile.sentiment.head])
    labels = classifier.labels[head]
    probabilities = heads[head]
    best = probabilities.argmax(axis=1).tolist()
    values = np.round(probabilities.max(axis=1).astype(np.float64), 4).tolist()
    return [Topic(labels[index], value) for index, value in zip(best, values, strict=True)]


def _added_topics(classifier: Classifier, heads: Mapping[str, Probabilities]) -> list[tuple[Topic, ...]]:
    """The added topics that each text is of: those more likely than not."""
    found: list[tuple[Topic, ...]] = [()] * len(next(iter(heads.values())))
    for head, labels in classifier.labels.items():
        if head.startswith(ADDED_TOPIC):
            shares = heads[head][:, 1]
            for row in np.flatnonzero(shares > 0.5).tolist():
                found[row] = (*found[row], Topic(labels[1], round(float(shares[row]), 4)))
    return found
