"""A board over HTTP: search, series, alerts, acknowledging, pushing news, and following what changes.

with moodwire.Client("http://127.0.0.1:8770", token="…") as board:
    for alert in board.alerts():
        board.acknowledge(alert, hours=4, note="looking")
    board.push([{"title": "Shares plunge", "source": "my wire"}])
    for event in board.follow("alerts"):
        print(event.name, event.data)
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
import msgspec

from streams.errors import MoodwireError

__all__ = ["BoardError", "Client", "Event"]

_LINES_AT_ONCE: Final = 1_000
_ATTEMPTS: Final = 3
_LONGEST_WAIT_SECONDS: Final = 30.0
_SILENT_SECONDS: Final = 40.0  # a stream has a heartbeat every 15 s


class BoardError(MoodwireError):
    """The board refused: `status` is that of HTTP, the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed: `item`, `alert`, `silence`, `status` …; `skipped` and `resync` say what was missed.

    `id` is where `follow` goes on.
    """

    name: str
    data: dict[str, Any]
    id: str


class Client:
    """The board at `address`; without a token, one that listens on this machine alone. Raises `BoardError`, and
    `httpx.TransportError` where it cannot be reached."""

    def __init__(self, address: str, token: str = "", *, timeout_seconds: float = 30.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=f"{address.rstrip('/')}/v1/", headers=headers, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def search(self, text: str = "", **filters: Any) -> Iterator[dict[str, Any]]:
        """Yields the items that hold all words, the newest first; filters are keys of `GET /v1/items`, as series."""
        return self._pages("items", {"q": text} | filters)

    def series(self, name: str, **span: Any) -> dict[str, Any]:
        """Returns a series such as `entity/AAPL` over time; `signal`, `since_ms`, `until_ms`, `bucket_ms` say which."""
        return self._asked("GET", f"series/{quote(name, safe='')}/points", params=span)

    def alerts(self, state: str = "open", **filters: Any) -> Iterator[dict[str, Any]]:
        """Yields alerts that are open, acknowledged or silenced, the most severe first; or those that are over."""
        return self._pages("alerts", {"state": state} | filters)

    def acknowledge(self, alert: Mapping[str, Any], *, hours: float = 4.0, note: str = "") -> dict[str, Any]:
        """Looks after an alert as it was read; `BoardError` 412 says that it has changed since: read it again."""
        body = {"for_seconds": round(hours * 3600), "note": note}
        path = f"alerts/{quote(alert['id'], safe='')}/acknowledge"
        return self._asked("POST", path, json=body, headers={"If-Match": f'"{alert["version"]}"'})

    def push(self, news: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Sends items, 1,000 at a time, and yields the result of each: `status`, `detail` if refused.

        Nothing is sent before the results are read. Where the connection breaks the same lines are sent again, once.
        """
        rest, before = iter(news), 0
        while lines := list(islice(rest, _LINES_AT_ONCE)):
            headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": secrets.token_hex(16)}
            body = b"\n".join(map(msgspec.json.encode, lines))
            for result in self._asked("POST", "news", content=body, headers=headers)["results"]:
                yield result | {"line": before + result["line"]}
            before += len(lines)

    def follow(self, *topics: str, last_id: str = "") -> Iterator[Event]:
        """Yields what changes (alerts, items, status) from now on, or from behind an event's id; reconnects by itself.

        An event may come twice after a reconnect. `resync` says that some were missed: read anew what you show.
        """
        wait_seconds = 1.0
        while True:
            try:
                for event in self._stream(topics, last_id):
                    last_id, wait_seconds = event.id or last_id, 1.0
                    if event.name:
                        yield event
            except httpx.TransportError:
                pass  # the board restarts, or the network is away
            except BoardError as error:
                if error.status < 500:
                    raise
            time.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)

    def _stream(self, topics: tuple[str, ...], last_id: str) -> Iterator[Event]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        timeout = httpx.Timeout(self._http.timeout.connect, read=_SILENT_SECONDS)
        params = {"topics": ",".join(topics)} if topics else {}
        with self._http.stream("GET", "stream", headers=headers, params=params, timeout=timeout) as response:
            if response.is_error:
                response.read()
                raise _refused(response)
            yield from _events(response.iter_lines())

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        page = self._asked("GET", path, params=query)
        yield from page["items"]
        while page["next"]:
            page = self._asked("GET", path, params={**query, "cursor": page["next"]})
            yield from page["items"]

    def _asked(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": secrets.token_hex(16)} | request.pop("headers", {})
        for attempt in range(_ATTEMPTS):
            try:
                response = self._http.request(method, path, headers=headers, **request)
                break
            except httpx.TransportError:  # asked again under the same key it is done once
                if attempt == _ATTEMPTS - 1:
                    raise
        if response.is_error:
            raise _refused(response)
        found: dict[str, Any] = response.json()
        return found


def _events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream; one without a name is a heartbeat, and tells how far it is."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
            continue
        data = msgspec.json.decode(fields["data"]) if "data" in fields else {}
        yield Event(fields.get("event", "") if data else "", data, fields.get("id", ""))
        fields = {}


def _refused(response: httpx.Response) -> BoardError:
    try:
        text = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        text = response.reason_phrase
    return BoardError(response.status_code, text)
