"""The list of feeds that a user wants polled.

feeds:
  - url: https://news.example/rss.xml
    name: Example News              # the source that its items name; by default the URL's host
    interval_seconds: 300
    language: en                    # when the feed names none
    headers: {Authorization: Bearer …}   # sent to this feed's own host only; Cookie too, as none are kept
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import msgspec

from streams.userfiles import Mistake, WrongFile, read_file, shaped

__all__ = ["Feed", "load_feeds", "read_feeds"]

_SHORTEST_INTERVAL_SECONDS = 10
_LONGEST_HOST = 253
_LABEL = re.compile("[A-Za-z0-9_-]{1,63}")


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed. `headers` may hold secrets and are not shown."""

    url: str
    name: str
    interval_seconds: float = 300.0
    language: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry as it is written."""

    url: str
    name: _Text | None = None
    interval_seconds: Annotated[float, msgspec.Meta(ge=_SHORTEST_INTERVAL_SECONDS)] = 300.0
    language: _Text | None = None
    headers: dict[str, str] = {}

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say; no header is shown, as it may hold a secret."""
        if problem := _problem_of_url(self.url):
            yield ("url",), problem
        for key, text in (("name", self.name), ("language", self.language)):
            if text is not None and not text.strip():
                yield (key,), "it is blank; write a text, or leave the key out"
        if not all((name + text).isascii() and (name + text).isprintable() for name, text in self.headers.items()):
            yield ("headers",), "write names with texts in ASCII, such as 'Authorization: Bearer …'"

    def feed(self) -> Feed:
        name = self.name or urlsplit(self.url).hostname or self.url
        return Feed(self.url, name, self.interval_seconds, self.language, self.headers)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    feeds: tuple[_Entry, ...]


def load_feeds(path: str | Path) -> tuple[Feed, ...]:
    """Returns the list. Raises `SettingsError` naming the file and each mistake: line, key and fix."""
    feeds, problems = read_feeds(path)
    if problems:
        raise WrongFile(problems)
    return feeds


def read_feeds(path: str | Path) -> tuple[tuple[Feed, ...], tuple[str, ...]]:
    """Returns the feeds that can be used, and what is wrong with the others; raises `SettingsError` if none is listed.

    Of feeds with the same address or name the first is used.
    """
    file = read_file(path)
    listed = shaped(file, _File)
    if listed is None:
        file.refuse()
    found = [(entry.feed(), entry) for entry in listed.feeds] if listed is not None else []
    for what in ("url", "name"):
        used = Counter(getattr(feed, what) for feed, _ in found)
        for value, entry in {getattr(feed, what): entry for feed, entry in found}.items():
            if used[value] > 1:
                text = f"{what} {_shown(value)!r} is used {used[value]} times; give each its own"
                file.problem_in(entry, (), text)
        found = list({getattr(feed, what): (feed, entry) for feed, entry in reversed(found)}.values())[::-1]
    return tuple(feed for feed, _ in found), file.problems


def _problem_of_url(value: str) -> str:
    """What is wrong with an address, empty if nothing is."""
    if not value.startswith(("http://", "https://")):
        return f"take an http:// or https:// address, not {_shown(value)!r}"
    try:
        port, host = urlsplit(value).port, httpx.URL(value).raw_host.decode("ascii")
    except (ValueError, httpx.InvalidURL) as error:
        return f"{_shown(value)!r} cannot be asked: {error}; correct it"
    if port == 0 or not _is_host(host):
        return f"{_shown(value)!r} has no host or port that can exist; correct it"
    return ""


def _shown(url: str) -> str:
    """Without user, password and query, which may hold a key."""
    return re.sub("//[^/@]*@", "//", url.partition("?")[0])


def _is_host(host: str) -> bool:
    """Whether it is an address, or a name of labels that the DNS may hold (RFC 1035, section 2.3.4)."""
    if ":" in host:  # IPv6, which was parsed
        return True
    return len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))
