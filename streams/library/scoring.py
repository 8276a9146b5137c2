"""Texts in, what the classifiers say of them out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from streams.classifiers import classifiers_of
from streams.feeds.fieldmap import FieldMap, to_news
from streams.library.frames import frame_of
from streams.settings import load_settings
from streams.stages.classify import Verdict, classify_items
from streams.stages.reader import ReadItem, TextReader
from streams.text.profile import load_profile
from streams.wall_clock import wall_clock_ms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Scorer", "read_text", "record_of", "score"]


class Scorer:
    """Loaded classifiers of a profile; making one takes about a second. Threads may share it.

    `profile` and `watchlists` win over the settings. Raises SettingsError.
    """

    def __init__(self, *, profile: str | None = None, watchlists: str | Path | None = None) -> None:
        settings = load_settings(profile=profile, watchlists=watchlists)
        self._profile = load_profile(settings.profile)
        self._reader = TextReader.build(
            self._profile, gazetteer=settings.gazetteer, watchlists=settings.watchlists
        )  # fmt: skip
        self._classifiers = classifiers_of(settings, self._profile)

    def score(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """Returns a record for each text, in the order given: what `moodwire score --json` prints.

        Raises Reject for a text without a word in it.
        """
        items = [read_text(self._reader, text) for text in texts]
        verdicts = classify_items(self._profile, self._classifiers, items)
        pairs = zip(items, verdicts, strict=True)
        return [msgspec.to_builtins(record_of(item, verdict)) for item, verdict in pairs]

    def frame(self, texts: Iterable[str]) -> pd.DataFrame:
        """Returns `score` as a data frame, a row for each text. Raises MoodwireError without pandas."""
        return frame_of(self.score(texts))


def read_text(reader: TextReader, text: str) -> ReadItem:
    """Returns a text as it is read before it is scored. Raises Reject for one without a word in it."""
    now_ms = wall_clock_ms()
    return reader.read(to_news({"title": text, "source": "you"}, FieldMap.default(), seen_ms=now_ms, now_ms=now_ms))


def record_of(item: ReadItem, verdict: Verdict) -> dict[str, Any]:
    """Returns what is known of a text, in records of ours: `score --json` prints it."""
    return {
        "title": item.title,
        "language": item.language,
        "heads": verdict.heads,
        "entities": verdict.entities,
        "watchlists": item.watchlists,
        "model": {"name": verdict.model, "version": verdict.model_version},
    }


def score(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Returns a record for each text by the settings' profile; the classifiers are loaded at the first call."""
    return _scorer().score(texts)


@cache
def _scorer() -> Scorer:
    return Scorer()
