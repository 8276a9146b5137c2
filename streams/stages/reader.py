"""Reading one item: everything that is known of a text before a classifier sees it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

from models import find_span
from streams.errors import Reject
from streams.limits import ENTITIES_PER_ITEM, WATCHLISTS_PER_ITEM
from streams.records import EntityMention, News
from streams.text.clean import clean_text
from streams.text.entities import EntityLinker
from streams.text.gazetteer import Issuer, load_gazetteer, merge
from streams.text.language import decide_language
from streams.text.profile import Profile
from streams.text.signature import normal_title, signature_of
from streams.text.watchlists import Watchlist, WatchlistMatcher, load_watchlists

__all__ = ["ReadItem", "TextReader"]

_LONG_TITLE = 40


class ReadItem(msgspec.Struct, frozen=True, gc=False):
    """A cleaned item with its language (ISO 639-1), entities and watchlists; `words` are those of its normal title."""

    title: str
    text: str
    language: str
    signature: int
    words: list[str]
    entities: tuple[EntityMention, ...]
    watchlists: tuple[str, ...]


class TextReader:
    """Reads items by a profile's rules. Thread-safe: it keeps nothing between items."""

    def __init__(self, profile: Profile, issuers: Iterable[Issuer], watchlists: Iterable[Watchlist]) -> None:
        self._profile = profile
        self._linker = EntityLinker(issuers, profile.evidence, profile.exchanges, profile.other_names)
        self._watchlists = WatchlistMatcher(watchlists)

    @classmethod
    def build(cls, profile: Profile, *, gazetteer: Path | None = None, watchlists: Path | None = None) -> Self:
        """With the profile's gazetteer, a user's own merged over it, and a user's watchlists."""
        issuers = load_gazetteer(profile.gazetteer) if profile.gazetteer else ()
        if gazetteer is not None:
            issuers = merge(issuers, load_gazetteer(gazetteer))
        return cls(profile, issuers, load_watchlists(watchlists) if watchlists else ())

    def read(self, news: News) -> ReadItem:
        """Raises `Reject` when cleaning leaves no title."""
        profile = self._profile
        title = clean_text(news.title, profile.title_limit)
        if not title:
            raise Reject("no_title", "nothing readable is left of the title")
        text = clean_text(news.text, profile.text_limit) if news.text else ""
        entities = self._entities(news, title, text)
        words = normal_title(title)
        return ReadItem(
            title=title,
            text=text,
            language=decide_language(
                news.language, _telling(title, text), profile.default_language, profile.min_language_confidence
            ),
            signature=signature_of(words),
            words=words,
            entities=entities,
            watchlists=self._matched(news, title, text, entities),
        )

    def _entities(self, news: News, title: str, text: str) -> tuple[EntityMention, ...]:
        """Those that the feed names itself, then those that the text names."""
        found = self._linker.find(title, text)
        if not news.entities:
            return found[:ENTITIES_PER_ITEM]
        names = dict.fromkeys(name for raw in news.entities if (name := clean_text(raw, 100)))
        given = [EntityMention(name, name, 1.0, _place(title, name)) for name in names]
        return (*given, *(mention for mention in found if mention.id not in names))[:ENTITIES_PER_ITEM]

    def _matched(self, news: News, title: str, text: str, entities: Iterable[EntityMention]) -> tuple[str, ...]:
        matched = self._watchlists.match(title, text, {entity.id for entity in entities}, news.source)
        return matched[:WATCHLISTS_PER_ITEM]


def _place(title: str, name: str) -> tuple[int, int] | None:
    span = find_span(title, name)
    return (span.start, span.end) if span.end else None


def _telling(title: str, text: str) -> str:
    """What the language is read from: a title of some length is enough (0.3 % misjudged), a short one is not."""
    return title if len(title) >= _LONG_TITLE or not text else f"{title} {text[:_LONG_TITLE]}"
