"""The archived items of a watchlist, also of one that did not exist when they were scored."""

from __future__ import annotations

from typing import Final

from streams.archive.protocol import Archive, Hit, Query
from streams.text.heads import Of
from streams.text.profile import Profile
from streams.text.watchlists import Watchlist, WatchlistMatcher

__all__ = ["items_of"]

_MOST_A_WORD: Final = 1_000


async def items_of(archive: Archive, profile: Profile, wanted: Watchlist, limit: int) -> list[Hit]:
    """Returns the items that are on the list, the newest first: of each name, term and entity the newest 1,000 at most.

    Whether an item is on it is decided as `score` decides it.
    """
    kinds = [kind for kind, made in profile.series.items() if made.of is Of.ENTITIES]
    queries = [Query(text=word, limit=_MOST_A_WORD) for word in (*wanted.words, *wanted.tickers)]
    queries += [Query(series=f"{kind}/{name}", limit=_MOST_A_WORD) for kind in kinds for name in wanted.entities]
    hits = {hit.item.news.id: hit for query in queries for hit in await archive.search(query)}
    matcher = WatchlistMatcher([wanted])
    found = [hit for hit in hits.values() if _is_on(matcher, hit)]
    return sorted(found, key=lambda hit: (hit.item.news.seen_ms, hit.item.news.id), reverse=True)[:limit]


def _is_on(matcher: WatchlistMatcher, hit: Hit) -> bool:
    news = hit.item.news
    return bool(matcher.match(news.title, news.text, {one.id for one in hit.item.entities}, news.source))
