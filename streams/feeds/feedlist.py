"""The list of feeds that a user wants polled.

feeds:
  - url: https://news.example/rss.xml
    name: Example News              # the source that its items name; by default the URL's host
    interval_seconds: 300
    language: en                    # when the feed names none
    headers: {Authorization: Bearer …}   # sent to this feed's own host only; Cookie too, as none are kept
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

from streams.errors import SettingsError

__all__ = ["Feed", "load_feeds", "read_feeds"]

_KEYS = ("url", "name", "interval_seconds", "language", "headers")
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


def load_feeds(path: str | Path) -> tuple[Feed, ...]:
    """Reads and checks the list; raises `SettingsError` naming the file, each wrong entry, its key and the fix."""
    feeds, problems = read_feeds(path)
    if problems:
        raise SettingsError("; ".join(problems))
    return feeds


def read_feeds(path: str | Path) -> tuple[tuple[Feed, ...], tuple[str, ...]]:
    """Returns the feeds that can be used, and what is wrong with the others; raises `SettingsError` if none is listed.

    Of feeds with the same address or name the first is used.
    """
    found: list[Feed] = []
    problems: list[str] = []
    for number, entry in enumerate(_entries(path), start=1):
        try:
            found.append(_feed(entry, f"feeds {path}, entry {number}"))
        except SettingsError as error:
            problems.append(str(error))
    for what in ("url", "name"):
        for value, count in Counter(getattr(feed, what) for feed in found).items():
            if count > 1:
                problems.append(f"feeds {path}: {what} {_shown(value)!r} is used {count} times; give each its own")
        found = list({getattr(feed, what): feed for feed in reversed(found)}.values())[::-1]
    return tuple(found), tuple(problems)


def _entries(path: str | Path) -> list[Any]:
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"feeds {path}: {error.strerror or error}; give the path of a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError(f"feeds {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or set(document) != {"feeds"} or not isinstance(document["feeds"], list):
        raise SettingsError(f"feeds {path}: expected the one key 'feeds' with a list of entries with url and name")
    return document["feeds"]


def _feed(entry: Any, where: str) -> Feed:
    if not isinstance(entry, dict):
        raise SettingsError(f"{where}: expected keys such as url and name, got {entry!r}")
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            fix = f"did you mean '{near[0]}'?" if near else f"allowed are {', '.join(_KEYS)}"
            raise SettingsError(f"{where}: unknown key {key!r}; {fix}")
    url = _url(entry.get("url"), where)
    return Feed(
        url=url,
        name=_text(entry.get("name"), "name", where) or (urlsplit(url).hostname or url),
        interval_seconds=_interval(entry.get("interval_seconds", 300), where),
        language=_text(entry.get("language"), "language", where),
        headers=_headers(entry.get("headers", {}), where),
    )


def _url(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise SettingsError(f"{where}: url must be an http:// or https:// address, got {value!r}")
    try:
        port, host = urlsplit(value).port, httpx.URL(value).raw_host.decode("ascii")
    except (ValueError, httpx.InvalidURL) as error:
        raise SettingsError(f"{where}: url {_shown(value)!r} cannot be asked: {error}") from None
    if port == 0 or not _is_host(host):
        raise SettingsError(f"{where}: url {_shown(value)!r} has no host or port that can exist")
    return value


def _shown(url: str) -> str:
    """Without user, password and query, which may hold a key."""
    return re.sub("//[^/@]*@", "//", url.partition("?")[0])


def _is_host(host: str) -> bool:
    """Whether it is an address, or a name of labels that the DNS may hold (RFC 1035, section 2.3.4)."""
    if ":" in host:  # IPv6, which was parsed
        return True
    return len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))


def _text(value: Any, key: str, where: str) -> str | None:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise SettingsError(f"{where}: {key} must be a text, got {value!r}")


def _interval(value: Any, where: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= _SHORTEST_INTERVAL_SECONDS:
        return float(value)
    raise SettingsError(f"{where}: interval_seconds must be at least {_SHORTEST_INTERVAL_SECONDS}, got {value!r}")


def _headers(value: Any, where: str) -> Mapping[str, str]:
    if isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(text, str) and (name + text).isascii() and (name + text).isprintable()
        for name, text in value.items()
    ):
        return value
    raise SettingsError(f"{where}: headers must be names with texts, such as 'Authorization: Bearer …'")
