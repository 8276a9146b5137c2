"""Texts in, what the classifiers say of them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from models import Classifier
from streams.classifiers import classifiers_of
from streams.errors import MoodwireError, Reject
from streams.feeds.fieldmap import FieldMap, to_news
from streams.library.frames import frame_of
from streams.settings import load_settings
from streams.stages.classify import Verdict, classify_items
from streams.stages.reader import ReadItem, TextReader
from streams.text.profile import Profile, load_profile
from streams.wall_clock import wall_clock_ms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Scored", "Scorer", "record_of", "score", "score_texts"]


class Scored(NamedTuple):
    """A text as it was read, and what the classifiers of its language say of it."""

    item: ReadItem
    verdict: Verdict


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

    def score(self, texts: str | Iterable[str]) -> list[dict[str, Any]]:
        """Returns a record for each text, in the order given: what `moodwire score --json` prints.

        A text without a word in it has a record too: its key `rejected` gives the reason, and its `heads` are empty.
        One string is one text. Raises MoodwireError for a text that is no string, with its number.
        """
        texts = checked_texts(texts)
        found = score_texts(self._profile, self._classifiers, self._reader, texts)
        return [msgspec.to_builtins(record_of(text, one)) for text, one in zip(texts, found, strict=True)]

    def frame(self, texts: str | Iterable[str]) -> pd.DataFrame:
        """Returns `score` as a data frame, a row for each text. Raises MoodwireError without pandas."""
        return frame_of(self.score(texts))


def checked_texts(texts: str | Iterable[str]) -> list[str]:
    """Returns the texts as a list. Raises MoodwireError for one that is no string."""
    listed = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(listed):
        if not isinstance(text, str):
            raise MoodwireError(f"text {number} (counted from 0) is {text!r}: take strings, such as `str(text)`")
    return listed


def score_texts(
    profile: Profile, classifiers: Mapping[str, Classifier], reader: TextReader, texts: Iterable[str]
) -> list[Scored | Reject]:
    """Returns for each text what is known of it, or why it cannot be read."""
    read = [_read(reader, text) for text in texts]
    items = [item for item in read if not isinstance(item, Reject)]
    verdicts = iter(classify_items(profile, classifiers, items))
    return [item if isinstance(item, Reject) else Scored(item, next(verdicts)) for item in read]


def _read(reader: TextReader, text: str) -> ReadItem | Reject:
    now_ms = wall_clock_ms()
    try:
        return reader.read(to_news({"title": text, "source": "you"}, FieldMap.default(), seen_ms=now_ms, now_ms=now_ms))
    except Reject as reject:
        return reject


def record_of(text: str, found: Scored | Reject) -> dict[str, Any]:
    """Returns what is known of a text, in records of ours: `score --json` prints it."""
    if isinstance(found, Reject):
        return {"title": text, "language": "", "heads": {}, "entities": [], "watchlists": [], "rejected": str(found)}
    item, verdict = found
    return {
        "title": item.title,
        "language": item.language,
        "heads": verdict.heads,
        "entities": verdict.entities,
        "watchlists": item.watchlists,
        "model": {"name": verdict.model, "version": verdict.model_version},
    }


def score(texts: str | Iterable[str]) -> list[dict[str, Any]]:
    """Returns a record for each text by the settings' profile; the classifiers are loaded at the first call."""
    return _scorer().score(texts)


@cache
def _scorer() -> Scorer:
    return Scorer()
