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
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from streams.errors import SettingsError

__all__ = ["Feed", "load_feeds"]

_KEYS = ("url", "name", "interval_seconds", "language", "headers")
_SHORTEST_INTERVAL_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed. `headers` may hold secrets and are not shown."""

    url: str
    name: str
    interval_seconds: float = 300.0
    language: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_feeds(path: str | Path) -> tuple[Feed, ...]:
    """Reads and checks the list; raises `SettingsError` naming the file, the entry, the key and the fix."""
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"feeds {path}: {error.strerror or error}; give the path of a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError(f"feeds {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or set(document) != {"feeds"} or not isinstance(document["feeds"], list):
        raise SettingsError(f"feeds {path}: expected the one key 'feeds' with a list of entries with url and name")
    feeds = tuple(_feed(entry, f"feeds {path}, entry {n}") for n, entry in enumerate(document["feeds"], start=1))
    for what, values in (("url", [feed.url for feed in feeds]), ("name", [feed.name for feed in feeds])):
        value, count = next(iter(Counter(values).most_common(1)), ("", 0))
        if count > 1:
            shown = value.partition("?")[0]  # a query may hold a key
            raise SettingsError(f"feeds {path}: {what} {shown!r} stands there {count} times; give each its own name")
    return feeds


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
    if isinstance(value, str) and value.startswith(("http://", "https://")) and _host(value):
        return value
    raise SettingsError(f"{where}: url must be an http:// or https:// address, got {value!r}")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


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
