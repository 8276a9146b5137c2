"""Talking to Elasticsearch: every request, its retries, and what goes wrong for long.

    call ──► judge ─► done, conflict, missing, split, refused ──► the caller decides
                  ├─► again    back-off with jitter, Retry-After honoured ──► after some attempts: Retry
                  └─► trouble  reported once an episode (log, on_trouble) ──────► Retry

`Retry` makes the partition wait; the run is tried again for as long as it takes.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode

import msgspec
from elasticsearch import AsyncElasticsearch, TransportError
from elasticsearch.serializer import Serializer

from alerts.backoff import Backoff
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.verdicts import Verdict, asked_wait_seconds, error_of, judge
from streams.archive.protocol import ArchiveError, OnTrouble
from streams.errors import Retry, SettingsError
from streams.logs import get_logger
from streams.wall_clock import wall_clock_ms

__all__ = ["Answer", "Session"]

log = get_logger(__name__)

JSON = "application/json"
NDJSON = "application/x-ndjson"
BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0, spread=(1.0, 0.5))
TROUBLE_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `retry_after_seconds` is 0 unless the server asked for a wait."""

    status: int
    body: bytes
    retry_after_seconds: float = 0.0

    def json(self) -> Any:
        """The body, decoded; a text that is no JSON (a proxy's page) comes as it is."""
        try:
            return msgspec.json.decode(self.body) if self.body else {}
        except msgspec.DecodeError:
            return self.body.decode("utf-8", "replace")

    @property
    def verdict(self) -> Verdict:
        return judge(self.status) if self.status < 300 else judge(self.status, *error_of(self.json()))


class _Raw(Serializer):
    """Bodies are encoded and decoded by us, and a proxy's error page must not hide its status."""

    mimetype = JSON

    def loads(self, data: bytes) -> Any:
        return data

    def dumps(self, data: Any) -> bytes:
        return bytes(data)


_RAW = {JSON: _Raw(), NDJSON: _Raw(), "application/*": _Raw(), "text/*": _Raw()}


class Session:
    """The client with our rules. `url` has no user and no password in it: they are in the options.

    Plain media types are sent, not those that name a version, so Elasticsearch 8.19, 9.x and serverless all answer.
    """

    def __init__(
        self,
        url: str,
        options: ElasticOptions,
        *,
        on_trouble: OnTrouble = lambda reason: None,  # noqa: ARG005  # the default reports nowhere
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.url = url
        self.on_trouble = on_trouble
        self.retries = 0
        """Requests, or parts of them, that were sent again since the start."""
        self._options = options
        self._sleep = sleep
        self.losses = 0
        """Requests since the start that no answer came to."""
        self._trouble: str | None = None
        self._refused = False
        self._headers = {"accept": JSON}
        if authorization := options.authorization():
            self._headers["authorization"] = authorization
        try:
            self._client = AsyncElasticsearch(url.split(","), serializers=_RAW, **_tls(url, options))
        except (ValueError, OSError) as error:
            raise ArchiveError(f"MOODWIRE_ARCHIVE_URL={url}: {error}") from error

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, object] | None = None,
        *,
        allow: Collection[Verdict] = (),
    ) -> Any:
        """The decoded answer of one request; verdicts in `allow` are the caller's, any other failure is `Retry`."""
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        target = f"{path}?{urlencode(params)}" if params else path
        for attempt in range(1, self._options.attempts + 1):
            answer = await self.send(method, target, data)
            verdict = answer.verdict
            content = answer.json()
            if verdict in allow or (verdict is Verdict.DONE and not _is_partial(content)):
                self.all_is_well()
                return content
            what = f"{method} {path}: {_said(answer)}"
            if verdict not in (Verdict.AGAIN, Verdict.DONE):
                self.fail(what)
            await self.wait(attempt, what, answer.retry_after_seconds)
        raise AssertionError("unreachable")  # pragma: no cover  # the last `wait` raises

    async def documents(self, places: Sequence[Mapping[str, str]], fields: str = "") -> list[dict[str, Any]]:
        """Documents by (`_index`, `_id`), as they are now whatever was refreshed, in the order asked for.

        One that is not there has no `found`; an index that is not there holds none.
        """
        if not places:
            return []
        params = {"_source_includes": fields} if fields else None
        answer = await self.call("POST", "/_mget", {"docs": places}, params)
        return list(answer["docs"])

    async def send(self, method: str, target: str, data: bytes | None, content_type: str = JSON) -> Answer:
        """One request, once. A connection that fails or a server that is silent is answered by status 503."""
        headers = self._headers | {"content-type": content_type} if data is not None else self._headers
        try:
            meta, body = await self._client.transport.perform_request(
                method,
                target,
                body=data,
                headers=headers,
                request_timeout=self._options.request_seconds,
                max_retries=0,  # retries are ours: they back off, and the caller knows of them
            )
        except TransportError as error:
            self.losses += 1
            error_body = {"error": {"type": type(error).__name__, "reason": str(error.message)}}
            return Answer(503, msgspec.json.encode(error_body))
        return Answer(meta.status, body or b"", asked_wait_seconds(meta.headers, wall_clock_ms()))

    async def wait(self, attempt: int, what: str, asked_seconds: float = 0.0) -> None:
        """Back off after a failed attempt; after the last one that is allowed, raise `Retry` instead."""
        if attempt >= self._options.attempts:
            self._begin_trouble(what)
            raise Retry(f"Elasticsearch does not take or answer it: {what}", asked_seconds or TROUBLE_WAIT_SECONDS)
        self.retries += 1
        chance = random.random()  # noqa: S311  # no secret
        await self._sleep(BACKOFF.wait_seconds(attempt, chance=chance, asked_seconds=asked_seconds))

    def fail(self, what: str) -> NoReturn:
        """Reports trouble that an operator must fix, once; the partition waits. Raises `Retry`."""
        self._begin_trouble(what)
        raise Retry(f"Elasticsearch refuses, and the partition waits: {what}", TROUBLE_WAIT_SECONDS)

    def refuse(self, what: str) -> NoReturn:
        """As `fail`, for what no request that goes through ends: it is over with `accept`. Raises `Retry`."""
        if not self._refused:
            self._trouble = None  # whatever it was before, this is what to act on
        self._refused = True
        self.fail(what)

    def accept(self) -> None:
        """What was refused is set right."""
        self._refused = False
        self.all_is_well()

    def all_is_well(self) -> None:
        """A request went through: an episode of trouble, if there was one, is over, unless by a refusal."""
        if self._trouble is not None and not self._refused:
            log.warning("Archive usable again", url=self.url)
            self._trouble = None
            self.on_trouble(None)

    def _begin_trouble(self, what: str) -> None:
        if self._trouble is None:
            self._trouble = what
            log.error("Archive unusable; the pipeline waits, nothing is lost", url=self.url, error=what)
            self.on_trouble(what)

    async def close(self) -> None:
        await self._client.close()


def _is_partial(content: Any) -> bool:
    """Whether an answer of status 200 lacks the part of some shard, as while a server starts."""
    if not isinstance(content, dict):
        return False
    if content.get("_shards", {}).get("failed"):
        return True
    errors = [one["error"] for one in content.get("docs", ()) if "error" in one]
    return any(error.get("type") != "index_not_found_exception" for error in errors)


def _said(answer: Answer) -> str:
    kind, reason = error_of(answer.json())
    return f"{answer.status} {kind} {reason}".strip()


def _tls(url: str, options: ElasticOptions) -> Mapping[str, Any]:
    if not url.startswith("https://"):
        return {}
    if options.ca and not options.ca.is_file():
        raise SettingsError(f"MOODWIRE_ARCHIVE_CA={options.ca}: there is no such file")
    context = ssl.create_default_context(cafile=options.ca)  # without one: the system's authorities
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl_context": context}
