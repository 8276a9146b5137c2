"""Where a scored item counts, and as what: its series, and the signals that it hits in each, as a profile declares.

    heads, entities, watchlists, source ──► names of series ──► {"all": {"outage": 0.9}, "source/wire": {…}, …}

An item counts in the series of an entity by what it says of that entity, where a head judged it: news of a bank that
sues a carmaker is bad for one of them. Everywhere else it counts by what is said of the item. A series such as
`both/watchlist/banks & topic/Mergers` has the items that are in both, and counts them as the first one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from alerts.rule_file import parts_of
from streams.records import EntityMention, HeadScore, Scored, SeriesHits
from streams.text.heads import HEAD_LABEL, Of, SeriesKind, Signal
from streams.text.profile import Profile

__all__ = ["Counting"]


class Counting:
    """The signals and kinds of series of a profile."""

    def __init__(self, profile: Profile) -> None:
        self._signals = [(name, signal, signal.entity_head or "") for name, signal in profile.signals.items()]
        self._namers = [_NAMERS[made.of](kind, made) for kind, made in profile.series.items()]
        self._both = [(name, parts_of(name)) for name in profile.both]
        self._entity_kinds = [name for name, made in profile.series.items() if made.of is Of.ENTITIES]

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
        own = self._hits(heads, {})
        found: SeriesHits = {}
        for namer in self._namers:
            for name in namer(source, heads, entities, watchlists):
                found[name] = own
        for one in entities:
            if one.heads:
                judged = self._hits(heads, one.heads)
                for kind in self._entity_kinds:
                    found[f"{kind}/{one.id}"] = judged
        for name, parts in self._both:
            if all(part in found for part in parts):
                found[name] = found[parts[0]]
        return found

    def again(self, item: Scored) -> Scored:
        """Returns an item that was scored before with the series and signals that the profile has now.

        Of a head whose probabilities were not kept, the label that it gave is all that a signal can count.
        """
        series = self.series_of(item.news.source, item.heads, item.entities, item.watchlists)
        return msgspec.structs.replace(item, series=series)

    def _hits(self, heads: Mapping[str, HeadScore], towards: Mapping[str, HeadScore]) -> dict[str, float]:
        """The signals that are hit, with their probabilities; `towards` are the heads that judged an entity."""
        found: dict[str, float] = {}
        for name, signal, entity_head in self._signals:
            score = towards.get(entity_head) or heads.get(signal.head)
            probability = None if score is None else _probability(signal, score)
            if probability is not None:
                found[name] = probability
        return found


def _probability(signal: Signal, score: HeadScore) -> float | None:
    """The probability of the signal's labels together; None where it is not hit."""
    if signal.least is None and score.label not in signal.labels:
        return None
    labels, kept = signal.labels, score.probabilities or {score.label: score.probability}
    chance = kept.get(labels[0], 0.0) if len(labels) == 1 else round(_together(labels, kept), 4)
    return chance if signal.least is None or chance >= signal.least else None


def _together(labels: tuple[str, ...], probabilities: Mapping[str, float]) -> float:
    return min(sum(probabilities.get(label, 0.0) for label in labels), 1.0)


Namer = Callable[[str, Mapping[str, HeadScore], tuple[EntityMention, ...], tuple[str, ...]], list[str]]
"""Names of an item's series of one kind, from its source, heads, entities and watchlists."""


def _everything(kind: str, made: SeriesKind) -> Namer:  # noqa: ARG001  # one shape for all
    names = [kind]
    return lambda source, heads, entities, watchlists: names  # noqa: ARG005


def _source(kind: str, made: SeriesKind) -> Namer:  # noqa: ARG001
    return lambda source, heads, entities, watchlists: [f"{kind}/{source}"]  # noqa: ARG005


def _entities(kind: str, made: SeriesKind) -> Namer:  # noqa: ARG001
    return lambda source, heads, entities, watchlists: [f"{kind}/{one.id}" for one in entities]  # noqa: ARG005


def _watchlists(kind: str, made: SeriesKind) -> Namer:  # noqa: ARG001
    return lambda source, heads, entities, watchlists: [f"{kind}/{name}" for name in watchlists]  # noqa: ARG005


def _labels(kind: str, made: SeriesKind) -> Namer:
    """Those of the head, and of the heads with labels that users added to it."""
    head, added = made.head or "", f"{made.head}{HEAD_LABEL}"
    return lambda source, heads, entities, watchlists: [  # noqa: ARG005
        f"{kind}/{score.label}" for name, score in heads.items() if name == head or name.startswith(added)
    ]


_NAMERS: Mapping[Of, Callable[[str, SeriesKind], Namer]] = {
    Of.EVERYTHING: _everything,
    Of.SOURCE: _source,
    Of.ENTITIES: _entities,
    Of.WATCHLISTS: _watchlists,
    Of.LABELS: _labels,
}
