"""Items through the classifier of their language: what each head says of a text, and of each entity in it.

titles ─► text heads ─┬─► the heads that the profile declares
                      └─► labels that users added to one (`topic/NAME`), where they are more likely than not
places of entities ─► entity heads ─► what is said of each
heads, entities, watchlists ─► the series in which the item counts (`streams.stages.counting`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from models import Classifier, Probabilities, Span, find_span, normalise
from streams.records import EntityMention, HeadScore, Scored, SeriesHits
from streams.stages.counting import Counting
from streams.stages.reader import ReadItem
from streams.text.heads import HEAD_LABEL, Head, Judges
from streams.text.profile import Profile

__all__ = ["Verdict", "classify_again", "classify_items", "with_verdict"]

Heads = dict[str, HeadScore]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a classifier says of an item, and where it counts; no heads when none speaks the language."""

    entities: tuple[EntityMention, ...]
    series: SeriesHits
    heads: Heads = {}
    model: str = ""
    model_version: str = ""


def classify_items(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[ReadItem]) -> list[Verdict]:
    """Returns the verdict of each item by its language's classifier, in the order given."""
    counting = Counting(profile)
    by_language: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        by_language.setdefault(item.language if item.language in classifiers else "", []).append(index)
    results: dict[int, Verdict] = {}
    for language, indices in by_language.items():
        chosen = [items[index] for index in indices]
        verdicts = _verdicts(profile, counting, classifiers[language], chosen) if language else _none(counting, chosen)
        results.update(zip(indices, verdicts, strict=True))
    return [results[index] for index in range(len(items))]


def classify_again(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> list[Verdict]:
    """Returns the verdicts of `classify_items` on items that were read and scored before."""
    read = [
        ReadItem(
            item.news.title, item.news.text, item.language, 0, [], item.entities, item.watchlists, item.news.source
        )
        for item in items
    ]
    return classify_items(profile, classifiers, read)


def with_verdict(item: Scored, verdict: Verdict) -> Scored:
    """Returns the item as this verdict has it; all that the text says besides is kept."""
    return msgspec.structs.replace(item, **{name: getattr(verdict, name) for name in Verdict.__struct_fields__})


def _none(counting: Counting, items: Sequence[ReadItem]) -> Iterator[Verdict]:
    for item in items:
        entities = tuple(_unjudged(item.entities))
        yield Verdict(entities, counting.series_of(item.source, {}, entities, item.watchlists))


def _verdicts(
    profile: Profile, counting: Counting, classifier: Classifier, items: Sequence[ReadItem]
) -> Iterator[Verdict]:
    entity_heads = [
        name
        for name, head in profile.heads.items()
        if head.judges is Judges.ENTITY and name in classifier.entity_labels
    ]
    spans = [_spans(item) if entity_heads else [] for item in items]
    answers = classifier.classify([item.title for item in items], spans if any(spans) else None)
    towards = _towards(profile, classifier, answers, entity_heads if any(spans) else [])
    for number, (item, heads) in enumerate(zip(items, _text_heads(profile, classifier, answers), strict=True)):
        entities = tuple(_judged(item.entities, towards) if spans[number] else _unjudged(item.entities))
        series = counting.series_of(item.source, heads, entities, item.watchlists)
        yield Verdict(entities, series, heads, classifier.name, classifier.version)


def _text_heads(profile: Profile, classifier: Classifier, answers: Mapping[str, Probabilities]) -> list[Heads]:
    """What each text's heads say, in the order of the profile; labels that users added come behind their head."""
    found: list[Heads] = [{} for _ in range(len(next(iter(answers.values()))))]
    kept = profile.kept_heads
    for name, head in profile.heads.items():
        if head.judges is Judges.TEXT and name in classifier.labels:
            scores = _scores(head, classifier.labels[name], answers[name], keeps=name in kept)
            for heads, score in zip(found, scores, strict=True):
                heads[name] = score
        _add_labels(name, classifier, answers, found)
    return found


def _towards(
    profile: Profile, classifier: Classifier, answers: Mapping[str, Probabilities], names: Sequence[str]
) -> Iterator[Heads]:
    """What the entity heads say of each place, in the order in which they were asked."""
    kept = profile.kept_heads
    columns = [
        _scores(profile.heads[name], classifier.entity_labels[name], answers[name], keeps=name in kept)
        for name in names
    ]
    for scores in zip(*columns, strict=True):
        yield dict(zip(names, scores, strict=True))


def _spans(item: ReadItem) -> list[Span]:
    """Where the title, as the classifier reads it, names those of the item's entities that have a place."""
    places = [entity.place for entity in item.entities if entity.place is not None]
    read = normalise(item.title) if places else item.title
    if read == item.title:
        return [Span(*place) for place in places]
    return [find_span(read, normalise(item.title[start:end])) for start, end in places]


def _judged(entities: Sequence[EntityMention], towards: Iterator[Heads]) -> Iterator[EntityMention]:
    for one in entities:
        yield msgspec.structs.replace(one, heads={} if one.place is None else next(towards))


def _unjudged(entities: Sequence[EntityMention]) -> Iterator[EntityMention]:
    for one in entities:
        yield msgspec.structs.replace(one, heads={}) if one.heads else one


def _scores(head: Head, labels: Sequence[str], probabilities: Probabilities, *, keeps: bool) -> list[HeadScore]:
    """The head's score of each row, rounded to 4 decimals, so that the last bits of a sum never show."""
    if keeps or head.values:
        return _kept(head, labels, probabilities, keeps=keeps)
    best = probabilities.argmax(axis=1).tolist()
    values = np.round(probabilities.max(axis=1).astype(np.float64), 4).tolist()
    return [HeadScore(labels[index], value) for index, value in zip(best, values, strict=True)]


def _kept(head: Head, labels: Sequence[str], probabilities: Probabilities, *, keeps: bool) -> list[HeadScore]:
    """In the order of the profile's labels, of which the first of equally probable ones is taken."""
    names = head.labels
    columns = probabilities[:, [labels.index(label) for label in names]].astype(np.float64)
    rounded: npt.NDArray[np.float64] = np.round(columns, 4)
    best, rows = rounded.argmax(axis=1).tolist(), rounded.tolist()
    scores = _directions(head, rounded)
    return [
        HeadScore(names[index], row[index], dict(zip(names, row, strict=True)) if keeps else {}, score)
        for index, row, score in zip(best, rows, scores, strict=True)
    ]


def _directions(head: Head, rounded: npt.NDArray[np.float64]) -> Sequence[float | None]:
    """The mean of the labels' values by the probabilities of each row; None without a direction."""
    if not head.values:
        return [None] * len(rounded)
    total = np.zeros(len(rounded))
    for column, label in enumerate(head.labels):
        total += head.values.get(label, 0.0) * rounded[:, column]
    found: list[float | None] = np.round(total, 4).tolist()
    return found


def _add_labels(
    name: str, classifier: Classifier, answers: Mapping[str, Probabilities], found: Sequence[Heads]
) -> None:
    """The labels that users added to the head, for the texts of which they are more likely than not."""
    for added, labels in classifier.labels.items():
        if added.startswith(f"{name}{HEAD_LABEL}"):
            shares = answers[added][:, 1]
            for row in np.flatnonzero(shares > 0.5).tolist():
                found[row][added] = HeadScore(labels[1], round(float(shares[row]), 4))
