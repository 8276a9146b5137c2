"""Where a scored item counts, and as what: its series, and the signals that it hits in each, as a profile declares.

    heads, entities, watchlists, source ──► names of series ──► {"all": {"outage": 0.9}, "source/wire": {…}, …}

An item counts in the series of an entity by what it says of that entity, where a head judged it: news of a bank that
sues a carmaker is bad for one of them. Everywhere else it counts by what is said of the item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from streams.records import EntityMention, HeadScore, SeriesHits
from streams.text.heads import HEAD_LABEL, Of, SeriesKind, Signal
from streams.text.profile import Profile

__all__ = ["Counting"]


@dataclass(frozen=True, slots=True)
class _Item:
    """What of an item decides where it counts."""

    source: str
    heads: Mapping[str, HeadScore]
    entities: tuple[EntityMention, ...]
    watchlists: tuple[str, ...]


class Counting:
    """The signals and kinds of series of a profile."""

    def __init__(self, profile: Profile) -> None:
        self._signals = dict(profile.signals)
        self._kinds = dict(profile.series)
        self._entity_kinds = [name for name, kind in self._kinds.items() if kind.of is Of.ENTITIES]

    def series_of(
        self,
        source: str,
        heads: Mapping[str, HeadScore],
        entities: tuple[EntityMention, ...],
        watchlists: tuple[str, ...],
    ) -> SeriesHits:
        """Returns the item's series in the order of the profile's kinds, each with the signals that it hits there.

        No signal is hit where there are no heads: no classifier speaks the item's language.
        """
        item = _Item(source, heads, entities, watchlists)
        own = self._hits(heads, {})
        found: SeriesHits = {}
        for kind, made in self._kinds.items():
            for name in _NAMES[made.of](kind, made, item):
                found[name] = own
        for one in entities:
            if one.heads:
                judged = self._hits(heads, one.heads)
                for kind in self._entity_kinds:
                    found[f"{kind}/{one.id}"] = judged
        return found

    def _hits(self, heads: Mapping[str, HeadScore], towards: Mapping[str, HeadScore]) -> dict[str, float]:
        """The signals that are hit, with their probabilities; `towards` are the heads that judged an entity."""
        found: dict[str, float] = {}
        for name, signal in self._signals.items():
            score = towards.get(signal.entity_head or "") or heads.get(signal.head)
            probability = None if score is None else _probability(signal, score)
            if probability is not None:
                found[name] = probability
        return found


def _probability(signal: Signal, score: HeadScore) -> float | None:
    """The probability of the signal's labels together; None where it is not hit."""
    if signal.least is None and score.label not in signal.labels:
        return None
    labels = signal.labels
    chance = score.probabilities[labels[0]] if len(labels) == 1 else round(_together(labels, score.probabilities), 4)
    return chance if signal.least is None or chance >= signal.least else None


def _together(labels: tuple[str, ...], probabilities: Mapping[str, float]) -> float:
    return min(sum(probabilities[label] for label in labels), 1.0)


_Names = Callable[[str, SeriesKind, _Item], Iterator[str]]


def _everything(kind: str, made: SeriesKind, item: _Item) -> Iterator[str]:  # noqa: ARG001  # one shape for all
    yield kind


def _source(kind: str, made: SeriesKind, item: _Item) -> Iterator[str]:  # noqa: ARG001
    yield f"{kind}/{item.source}"


def _entities(kind: str, made: SeriesKind, item: _Item) -> Iterator[str]:  # noqa: ARG001
    for entity in item.entities:
        yield f"{kind}/{entity.id}"


def _watchlists(kind: str, made: SeriesKind, item: _Item) -> Iterator[str]:  # noqa: ARG001
    for name in item.watchlists:
        yield f"{kind}/{name}"


def _labels(kind: str, made: SeriesKind, item: _Item) -> Iterator[str]:
    """Those of the head, and of the heads with labels that users added to it."""
    for head, score in item.heads.items():
        if head.partition(HEAD_LABEL)[0] == made.head:
            yield f"{kind}/{score.label}"


_NAMES: Mapping[Of, _Names] = {
    Of.EVERYTHING: _everything,
    Of.SOURCE: _source,
    Of.ENTITIES: _entities,
    Of.WATCHLISTS: _watchlists,
    Of.LABELS: _labels,
}
