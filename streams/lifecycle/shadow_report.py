"""What a version would have said of archived items: where it differs from the scores that they have. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models import Classifier
from streams.lifecycle.baselines import scored_again
from streams.records import Scored
from streams.text.profile import Profile

__all__ = ["Difference", "ShadowReport", "shadow_report"]

EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """An item that gets another sentiment; `change` is how far its tone moves, from -2 to 2."""

    item: str
    title: str
    before: str
    after: str
    change: float


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """`moved` counts items by (label before, label after); `negative` are the shares of negative items."""

    items: int
    sentiment_differs: int
    topic_differs: int
    negative_before: float
    negative_after: float
    moved: Mapping[str, int]
    examples: Sequence[Difference]
    """Those whose tone moves most."""


def shadow_report(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> ShadowReport:
    """Compare the scores of `items` with what `classifiers` say, by language; others and unscored ones are left out."""
    chosen = [item for item in items if item.language in classifiers and item.sentiment is not None]
    again = scored_again(profile, classifiers, chosen)
    pairs = [(old, new) for old, new in zip(chosen, again, strict=True) if new.sentiment is not None]
    found = [_difference(old, new) for old, new in pairs]
    differing = [one for one in found if one.before != one.after]
    count = max(1, len(found))
    return ShadowReport(
        items=len(found),
        sentiment_differs=len(differing),
        topic_differs=sum(_topic(old) != _topic(new) for old, new in pairs),
        negative_before=sum(one.before == "negative" for one in found) / count,
        negative_after=sum(one.after == "negative" for one in found) / count,
        moved=dict(Counter(f"{one.before} > {one.after}" for one in differing).most_common()),
        examples=sorted(differing, key=lambda one: -abs(one.change))[:EXAMPLES],
    )


def _difference(old: Scored, new: Scored) -> Difference:
    before, after = old.sentiment, new.sentiment
    assert before is not None
    assert after is not None
    return Difference(old.news.id, old.news.title, before.label, after.label, round(after.score - before.score, 4))


def _topic(item: Scored) -> str:
    return item.topic.label if item.topic else ""
