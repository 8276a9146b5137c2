"""Items through the classifier of their language: sentiment and topic of each, rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models import Classifier, Probabilities
from streams.records import Scored, Sentiment, Topic
from streams.stages.reader import ReadItem
from streams.text.profile import Profile

__all__ = ["Verdict", "classify_again", "classify_items"]

Verdict = tuple[Sentiment | None, Topic | None, tuple[str, str]]
"""Sentiment, topic and (model name, version); None and empty when no classifier speaks the language."""


def classify_items(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[ReadItem]) -> list[Verdict]:
    """The verdict of each item by its language's classifier, in the order given."""
    results: list[Verdict] = [(None, None, ("", ""))] * len(items)
    by_language: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if item.language in classifiers:
            by_language.setdefault(item.language, []).append(index)
    for language, indices in by_language.items():
        classifier = classifiers[language]
        heads = classifier.classify([items[index].title for index in indices])
        sentiments = _sentiments(profile, classifier, heads)
        topics = _topics(profile, classifier, heads)
        model = (classifier.name, classifier.version)
        for index, sentiment, topic in zip(indices, sentiments, topics, strict=True):
            results[index] = (sentiment, topic, model)
    return results


def classify_again(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> list[Verdict]:
    """The verdicts of `classify_items` on items that were read and scored before."""
    read = [ReadItem(item.news.title, item.news.text, item.language, 0, [], (), ()) for item in items]
    return classify_items(profile, classifiers, read)


def _sentiments(profile: Profile, classifier: Classifier, heads: Mapping[str, Probabilities]) -> list[Sentiment]:
    """Sentiments rounded to 4 decimals, so that the last bits of a sum never show."""
    head = profile.sentiment
    labels = classifier.labels[head.head]
    order = [labels.index(label) for label in (head.negative, head.neutral, head.positive)]
    rows = np.round(heads[head.head][:, order].astype(np.float64), 4).tolist()
    names = ("negative", "neutral", "positive")
    return [
        Sentiment(names[max(range(3), key=row.__getitem__)], row[0], row[1], row[2], round(row[2] - row[0], 4))
        for row in rows
    ]


def _topics(profile: Profile, classifier: Classifier, heads: Mapping[str, Probabilities]) -> list[Topic | None]:
    head = profile.topic_head
    if head is None or head not in heads:
        return [None] * len(next(iter(heads.values())))
    labels = classifier.labels[head]
    probabilities = heads[head]
    best = probabilities.argmax(axis=1).tolist()
    values = np.round(probabilities.max(axis=1).astype(np.float64), 4).tolist()
    return [Topic(labels[index], value) for index, value in zip(best, values, strict=True)]
