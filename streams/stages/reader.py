"""Reading one item: everything that is known of a text before a classifier sees it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    source: str = ""


class TextReader:
    """Reads items by a profile's rules. Thread-safe: it keeps nothing between items.

    `issuers` are those of each language; names in a language that the profile lacks are found as in its default one.
    """

    def __init__(
        self, profile: Profile, issuers: Mapping[str, Iterable[Issuer]], watchlists: Iterable[Watchlist]
    ) -> None:
        self._profile = profile
        self._linkers = {
            code: EntityLinker(issuers.get(code, ()), language) for code, language in profile.languages.items()
        }
        self._watchlists = WatchlistMatcher(watchlists)

    @classmethod
    def build(cls, profile: Profile, *, gazetteer: Path | None = None, watchlists: Path | None = None) -> Self:
        """With the profile's gazetteers, a user's own merged over each, and a user's watchlists."""
        own = load_gazetteer(gazetteer) if gazetteer is not None else ()
        issuers = {language: merge(_gazetteer(profile, language), own) for language in profile.languages}
        return cls(profile, issuers, load_watchlists(watchlists) if watchlists else ())

    def read(self, news: News) -> ReadItem:
        """Raises `Reject` when cleaning leaves no title."""
        profile = self._profile
        title = clean_text(news.title, profile.title_limit)
        if not title:
            raise Reject("no_title", "nothing readable is left of the title")
        text = clean_text(news.text, profile.text_limit) if news.text else ""
        language = decide_language(
            news.language, _telling(title, text), profile.default_language, profile.min_language_confidence
        )
        entities = self._entities(news, language, title, text)
        words = normal_title(title)
        return ReadItem(
            title=title,
            text=text,
            language=language,
            signature=signature_of(words),
            words=words,
            entities=entities,
            watchlists=self._matched(news, title, text, entities),
            source=news.source,
        )

    def _entities(self, news: News, language: str, title: str, text: str) -> tuple[EntityMention, ...]:
        """Those that the feed names itself, then those that the text names."""
        linker = self._linkers.get(language) or self._linkers[self._profile.default_language]
        found = linker.find(title, text)
        if not news.entities:
            return found[:ENTITIES_PER_ITEM]
        names = dict.fromkeys(name for raw in news.entities if (name := clean_text(raw, 100)))
        given = [EntityMention(name, name, 1.0, _place(title, name)) for name in names]
        return (*given, *(mention for mention in found if mention.id not in names))[:ENTITIES_PER_ITEM]

    def _matched(self, news: News, title: str, text: str, entities: Iterable[EntityMention]) -> tuple[str, ...]:
        matched = self._watchlists.match(title, text, {entity.id for entity in entities}, news.source)
        return matched[:WATCHLISTS_PER_ITEM]


def _gazetteer(profile: Profile, language: str) -> tuple[Issuer, ...]:
    named = profile.gazetteer(language)
    return load_gazetteer(Path(named.file), named.columns) if named is not None else ()


def _place(title: str, name: str) -> tuple[int, int] | None:
    span = find_span(title, name)
    return (span.start, span.end) if span.end else None


def _telling(title: str, text: str) -> str:
    """What the language is read from: a title of some length is enough (0.3 % misjudged), a short one is not."""
    return title if len(title) >= _LONG_TITLE or not text else f"{title} {text[:_LONG_TITLE]}"
