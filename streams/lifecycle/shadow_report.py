"""What a version would have said of archived items: where it differs from the scores that they have. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models import Classifier
from streams.lifecycle.baselines import scored_again
from streams.records import Scored
from streams.text.heads import Judges
from streams.text.profile import Profile

__all__ = ["Difference", "ShadowReport", "shadow_report"]

EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """An item to which a head gives another label; `change` is how far its score moves, None without a direction."""

    item: str
    title: str
    head: str
    before: str
    after: str
    change: float | None


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """`differs` counts by head the items that get another label, `moved` by head those from one label to another.

    `hits_before` and `hits_after` are by signal the shares of items that hit it.
    """

    items: int
    differs: Mapping[str, int]
    hits_before: Mapping[str, float]
    hits_after: Mapping[str, float]
    moved: Mapping[str, Mapping[str, int]]
    examples: Sequence[Difference]
    """Those whose score moves most."""


def shadow_report(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> ShadowReport:
    """Compares the scores of `items` with what `classifiers` say, by language; others and unscored ones are left
    out.
    """
    chosen = [item for item in items if item.language in classifiers and item.heads]
    again = scored_again(profile, classifiers, chosen)
    pairs = [(old, new) for old, new in zip(chosen, again, strict=True) if new.heads]
    differing = [one for old, new in pairs for one in _differences(old, new)]
    heads = [name for name, head in profile.heads.items() if head.judges is Judges.TEXT]
    return ShadowReport(
        items=len(pairs),
        differs={head: sum(one.head == head for one in differing) for head in heads},
        hits_before=_shares(profile, [old for old, _ in pairs]),
        hits_after=_shares(profile, [new for _, new in pairs]),
        moved={head: _moved(head, differing) for head in heads},
        examples=sorted(differing, key=lambda one: -abs(one.change or 0.0))[:EXAMPLES],
    )


def _shares(profile: Profile, items: Sequence[Scored]) -> dict[str, float]:
    """By signal the share of the items that hit it in any of their series."""
    count = max(1, len(items))
    return {
        signal: sum(any(signal in hits for hits in item.series.values()) for item in items) / count
        for signal in profile.signals
    }


def _moved(head: str, differing: Sequence[Difference]) -> dict[str, int]:
    return dict(Counter(f"{one.before} > {one.after}" for one in differing if one.head == head).most_common())


def _differences(old: Scored, new: Scored) -> Iterator[Difference]:
    for head in old.heads.keys() & new.heads.keys():
        before, after = old.heads[head], new.heads[head]
        if before.label != after.label:
            has_score = before.score is not None and after.score is not None
            change = round((after.score or 0.0) - (before.score or 0.0), 4) if has_score else None
            yield Difference(old.news.id, old.news.title, head, before.label, after.label, change)
