"""What series are called: a company by its name in the gazetteer, a feed without the ends of its address.

The series of everything is called as its kind, all others by what stands behind their kind.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.text.gazetteer import load_gazetteer
from streams.text.heads import Of
from streams.text.profile import Profile

__all__ = ["Labels", "load_labels"]


_ENDS = re.compile(r"^https?://(?:(?:www|feeds?|rss)\.)?|(?:\.xml|\.rss|/)+$", re.IGNORECASE)
"""What an address of a feed has before and behind what tells it from others."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The names of entities by their id; `kinds` are those of series of entities, `sources` those of sources.

    `called` has what the profile calls kinds.
    """

    kinds: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    called: Mapping[str, str] = field(default_factory=dict)

    def of(self, series: str) -> str:
        """Returns `Apple` for `entity/AAPL`, `Earnings` for `topic/Earnings`, `all` for `all`."""
        kind, _, name = series.partition("/")
        if kind in self.kinds:
            name = self.names.get(name, name)
        elif kind in self.sources:
            name = _ENDS.sub("", name) or name
        return name or self.called.get(kind) or kind

    def has(self, series: str, text: str) -> bool:
        """Whether the text is part of the series' name or of what it is called, in whatever case."""
        wanted = text.casefold()
        return wanted in series.casefold() or wanted in self.of(series).casefold()


_loaded: dict[tuple[str, Path | None], Labels] = {}


async def load_labels(profile: Profile, gazetteer: Path | None) -> Labels:
    """Returns the labels of a profile and of a user's own gazetteer, which are read once a process, in a thread."""
    key = profile.name, gazetteer
    if key not in _loaded:
        _loaded[key] = await asyncio.to_thread(_load, profile, gazetteer)
    return _loaded[key]


def _load(profile: Profile, gazetteer: Path | None) -> Labels:
    kinds = frozenset(name for name, kind in profile.series.items() if kind.of is Of.ENTITIES)
    names: dict[str, str] = {}
    for language in profile.languages:
        named = profile.gazetteer(language)
        if named is not None:
            names |= {
                one.id: one.name for one in load_gazetteer(Path(named.file), named.columns) if one.id not in names
            }
    if gazetteer is not None:
        names |= {one.id: one.name for one in load_gazetteer(gazetteer)}
    sources = frozenset(name for name, kind in profile.series.items() if kind.of is Of.SOURCE)
    return Labels(kinds, names, sources, {name: kind.label for name, kind in profile.series.items()})
