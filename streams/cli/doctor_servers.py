"""What `moodwire doctor` tries over the network: broker, archive, and whether the hosts of webhook, watchdog and
traces take a connection. Nothing is posted, and nothing is made."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from alerts.delivery.http_post import masked_url
from alerts.delivery.webhook import WebhookChannel
from streams.archive import closing_archive, open_archive, open_elastic
from streams.archive.elastic.address import is_elastic
from streams.cli.doctor_checks import ANSWER_SECONDS, WARNING, Check
from streams.errors import SettingsError, TransportError
from streams.settings import Settings
from streams.transport.broker import open_broker
from streams.transport.sqlite.broker import broker_path

__all__ = ["SERVER_CHECKS"]


def _broker(settings: Settings) -> str:
    if not settings.on_kafka and not broker_path(settings.broker).exists():
        return f"{settings.broker}: not made yet, the first run makes it"
    with open_broker(settings.broker, replace(settings.kafka, timeout_seconds=ANSWER_SECONDS)) as broker:
        topics = settings.topics
        if topics.news not in broker.names(topics.news):
            return f"{settings.broker}: no topics of this namespace yet, the first run makes them"
        lags = [f"{stage} {broker.lag(topics.group(stage), source)}" for stage, source in topics.sources.items()]
    return f"{settings.broker}: records waiting: {', '.join(lags)}"


def _archive(settings: Settings) -> str:
    if not is_elastic(settings.archive) and not Path(settings.archive.partition("://")[2]).exists():
        return f"{settings.archive}: not made yet, the first run makes it"
    return f"{settings.archive}: {asyncio.run(_asked_archive(settings))}"


async def _asked_archive(settings: Settings) -> str:
    options = replace(settings.elastic, request_seconds=ANSWER_SECONDS, attempts=1)
    server = ""
    if is_elastic(settings.archive):
        async with closing_archive(open_elastic(settings.archive, options)) as elastic:
            if problem := await elastic.refusal():
                raise SettingsError(problem)
            set_up = "set up" if await elastic.is_set_up() else "templates are missing or old, the first run makes them"
            server = f"{await elastic.server()}, indices {options.prefix}*, {set_up}, "
    async with closing_archive(open_archive(settings.archive, options)) as archive:
        found = await archive.stats()
    return f"{server}{found.items} items, {found.revisions} revisions, {found.duplicates} duplicates"


# -- hosts that are posted to


def _webhook(settings: Settings) -> str:
    if settings.webhook_url is None:
        unused = f"{WARNING}MOODWIRE_WEBHOOK_SECRET is set and no address" if settings.webhook_secret else ""
        return f"none (MOODWIRE_WEBHOOK_URL){unused}"
    url = settings.webhook_url.get_secret_value()
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    WebhookChannel(url, secret=secret)  # says what is wrong with either
    unsigned = "" if secret else f"{WARNING}posts are not signed: set MOODWIRE_WEBHOOK_SECRET"
    return f"{_connected(url, settings)}{unsigned}"


def _watchdog(settings: Settings) -> str:
    if settings.watchdog_url is None:
        return "none (MOODWIRE_WATCHDOG_URL)"
    return _connected(settings.watchdog_url.get_secret_value(), settings)


def _traces(settings: Settings) -> str:
    return _connected(settings.otel_endpoint, settings) if settings.otel_endpoint else "none (MOODWIRE_OTEL_ENDPOINT)"


def _connected(url: str, settings: Settings) -> str:
    """That the URL's host, or the proxy before it, takes a connection; the address may be a secret."""
    proxy = settings.proxy.get_secret_value() if settings.proxy else None
    target = _parts(proxy or url)
    shown = masked_url(proxy or url)
    try:
        asyncio.run(_connect(target, None if proxy else _tls(target)))
    except TimeoutError:
        raise TransportError(f"{shown}: no answer within {ANSWER_SECONDS:g} s") from None
    except ssl.SSLError as error:
        raise TransportError(f"{shown}: no TLS connection: {error}") from error
    except OSError as error:
        raise TransportError(f"{shown}: no connection: {error.strerror or error}") from error
    through = ", through the proxy" if proxy else ""
    return f"{masked_url(url)} takes connections{through}; nothing was posted"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        httpx.URL(url)
        if parts.hostname and (parts.port or 1) > 0:
            return parts
    except (ValueError, httpx.InvalidURL):
        pass
    raise SettingsError("the address must look like https://host/path (its value is not shown here)")


def _tls(parts: SplitResult) -> ssl.SSLContext | None:
    return ssl.create_default_context() if parts.scheme == "https" else None


async def _connect(parts: SplitResult, tls: ssl.SSLContext | None) -> None:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    async with asyncio.timeout(ANSWER_SECONDS):
        _, writer = await asyncio.open_connection(parts.hostname, port, ssl=tls)
    writer.close()


def _check(name: str, ask: Callable[[Settings], str], setting: str) -> Check:
    return Check(name, ask, f"correct {setting}, and see that this machine may reach its host")


SERVER_CHECKS = (
    Check("broker", _broker, "start it, or correct MOODWIRE_BROKER_URL"),
    Check("archive", _archive, "start it, or correct MOODWIRE_ARCHIVE_URL and the login (MOODWIRE_ARCHIVE_API_KEY)"),
    _check("webhook", _webhook, "MOODWIRE_WEBHOOK_URL and MOODWIRE_WEBHOOK_SECRET"),
    _check("watchdog", _watchdog, "MOODWIRE_WATCHDOG_URL"),
    _check("traces", _traces, "MOODWIRE_OTEL_ENDPOINT"),
)
