"""From the settings and the receivers of routes.yaml to channels.

What a channel refuses is a mistake of the file, with its line, its key and its receiver; all of them are named at once.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alerts.delivery import (
    AlertmanagerChannel,
    AtomChannel,
    Channel,
    EmailChannel,
    FileChannel,
    PagerDutyChannel,
    Rate,
    TerminalChannel,
    WebhookChannel,
)
from alerts.delivery.alertmanager import api_url
from alerts.delivery.brief import Words
from alerts.delivery.http_post import checked_url
from alerts.delivery.smtp import SmtpServer
from alerts.delivery.webhook import decode_secret
from alerts.errors import DeliveryError
from alerts.judge import Policy
from alerts.wording import Wording
from streams.errors import SettingsError
from streams.net.client import open_client
from streams.receivers.chat import AppriseChannel
from streams.receivers.configured import policy_of
from streams.receivers.entries import (
    AlertmanagerEntry,
    AppriseEntry,
    AtomEntry,
    EmailEntry,
    PagerDutyEntry,
    Receiver,
    TemplatesEntry,
    TopicEntry,
    WebhookEntry,
    read_receivers,
    read_receivers_file,
)
from streams.receivers.secrets import Secret, secret_text
from streams.receivers.templates.rewriting import Templates
from streams.receivers.templates.syntax import template_problem
from streams.receivers.topic import TopicChannel
from streams.settings import Settings
from streams.terminal import Terminal
from streams.text.profile import load_profile
from streams.transport.broker import check_url, open_broker
from streams.userfiles import Keys, UserFile, WrongFile, suggestion

__all__ = ["channels_of", "check_routes", "rates_of", "templates_of"]


def channels_of(settings: Settings) -> list[Channel]:
    """Returns the channels that the settings name, then those of the receivers of routes.yaml.

    Raises `WrongFile` with every receiver that cannot work, `SettingsError` for a setting.
    """
    wording = load_profile(settings.profile).wording
    channels = _of_settings(settings, wording)
    if settings.routes is None:
        return channels
    file, receivers = read_receivers_file(settings.routes)
    opened = [_Opening(settings, file, receiver, wording).opened() for receiver in receivers]
    file.refuse()
    return [*channels, *(channel for channel in opened if channel is not None)]


def check_routes(settings: Settings) -> Policy:
    """Returns the policy, with every channel made as a worker makes it, none connected, and closed.

    Raises `WrongFile` with all that is wrong with routes and receivers, or `SettingsError` for a setting.
    """
    problems: list[str] = []
    with _collecting(problems):
        asyncio.run(_close(channels_of(settings)))
    with _collecting(problems):
        policy = policy_of(settings)
    if problems:
        raise WrongFile(tuple(dict.fromkeys(problems)))
    return policy


@contextmanager
def _collecting(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except WrongFile as wrong:
        problems += wrong.problems


async def _close(channels: list[Channel]) -> None:
    for channel in channels:
        await channel.aclose()


def rates_of(settings: Settings) -> dict[str, Rate]:
    """Returns how often the receivers of routes.yaml may be sent something, by name, where they say so."""
    receivers = read_receivers(settings.routes)
    return {one.name: one.at_most.rate for one in receivers if one.at_most is not None}


def templates_of(settings: Settings, receiver: str) -> Templates:
    """Returns the templates of a receiver. Raises `SettingsError` where it has none, or there is no such receiver."""
    file, receivers = read_receivers_file(settings.routes) if settings.routes else (None, ())
    found = next((one for one in receivers if one.name == receiver), None)
    if file is None or found is None:
        known = [one.name for one in receivers]
        raise SettingsError(f"routes.yaml has no receiver {receiver!r}; {suggestion(receiver, known)}")
    if found.templates is None:
        raise SettingsError(f"the receiver {receiver!r} has no templates; it gets the built-in words")
    sources = _Opening(settings, file, found, Wording.of()).sources(found.templates)
    file.refuse()
    return Templates(sources)


def _of_settings(settings: Settings, wording: Wording) -> list[Channel]:
    channels: list[Channel] = []
    if settings.terminal:
        channels.append(TerminalChannel(Terminal(), wording=wording))
    if settings.alerts_file is not None:
        channels.append(FileChannel(settings.alerts_file))
    if settings.webhook_url is not None:
        channels.append(_webhook_of(settings.webhook_url.get_secret_value(), settings))
    return channels


def _webhook_of(url: str, settings: Settings) -> Channel:
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    with _named("MOODWIRE_WEBHOOK_URL"):
        checked_url(url)
    with _named("MOODWIRE_WEBHOOK_SECRET"):
        return WebhookChannel(url, secret=secret, client=open_client([url], settings.net))


@contextmanager
def _named(setting: str) -> Iterator[None]:
    try:
        yield
    except DeliveryError as error:
        raise SettingsError(f"{setting}: {error}") from None


class _Wrong(Exception):
    """A value that no channel can be made of; the file's problems say why."""


class _Opening:
    """One receiver on its way to a channel."""

    def __init__(self, settings: Settings, file: UserFile, receiver: Receiver, wording: Wording) -> None:
        self._settings, self._file, self._receiver, self._wording = settings, file, receiver, wording

    def opened(self) -> Channel | None:
        """The channel; None where a value is wrong, which is added to the file's problems."""
        kind = self._receiver.channels[0]
        try:
            with self._at(kind):
                return self._channel(getattr(self._receiver, kind))
        except _Wrong:
            return None

    @contextmanager
    def _at(self, *keys: str) -> Iterator[None]:
        """What is refused inside is a problem of these keys."""
        try:
            yield
        except (DeliveryError, SettingsError) as error:
            self._problem(keys, str(error).removeprefix(f"{keys[0]}: "))
            raise _Wrong from None

    def _problem(self, keys: Keys, text: str) -> None:
        self._file.problem_in(self._receiver, keys, f"receiver {self._receiver.name!r}: {text}")

    def _channel(self, entry: object) -> Channel:
        match entry:
            case AlertmanagerEntry():
                return self._alertmanager(entry)
            case EmailEntry():
                return self._email(entry)
            case WebhookEntry():
                return self._webhook(entry)
            case PagerDutyEntry():
                return self._pagerduty(entry)
            case AtomEntry():
                return self._atom(entry)
            case TopicEntry():
                return self._topic(entry)
            case AppriseEntry():
                return self._apprise(entry)
            case other:
                raise TypeError(f"no channel for {type(other).__name__}")

    def _alertmanager(self, entry: AlertmanagerEntry) -> Channel:
        url = self._secret("alertmanager", "url", entry.url, checked_url)
        return AlertmanagerChannel(
            url,
            name=self._receiver.name,
            labels=entry.labels,
            hold_hours=entry.hold_hours,
            authorization=self._optional("alertmanager", "authorization", entry.authorization, _header_value),
            client=open_client([api_url(url)], self._settings.net),
            words=self._words(),
        )

    def _email(self, entry: EmailEntry) -> Channel:
        ca = Path(entry.ca) if entry.ca else None
        with self._at("email", "ca"):
            _check_authorities(ca)
        server = SmtpServer(
            entry.host,
            entry.port,
            entry.security,
            entry.user,
            self._optional("email", "password", entry.password),
            ca,
        )
        return EmailChannel(server, entry.sender, entry.to, name=self._receiver.name, words=self._words())

    def _webhook(self, entry: WebhookEntry) -> Channel:
        url = self._secret("webhook", "url", entry.url, checked_url)
        return WebhookChannel(
            url,
            self._optional("webhook", "secret", entry.secret, decode_secret),
            name=self._receiver.name,
            body_format=entry.format,
            source=entry.source,
            client=open_client([url], self._settings.net),
        )

    def _pagerduty(self, entry: PagerDutyEntry) -> Channel:
        with self._at("pagerduty", "url"):
            checked_url(entry.url)
        return PagerDutyChannel(
            self._secret("pagerduty", "routing_key", entry.routing_key),
            name=self._receiver.name,
            url=entry.url,
            source=entry.source,
            client=open_client([entry.url], self._settings.net),
            words=self._words(),
        )

    def _atom(self, entry: AtomEntry) -> Channel:
        with self._at("atom", "path"):
            return AtomChannel(
                Path(entry.path),
                name=self._receiver.name,
                title=entry.title,
                entries=entry.entries,
                words=self._words(),
            )

    def _topic(self, entry: TopicEntry) -> Channel:
        settings = self._settings
        url = entry.broker or settings.broker
        with self._at("kafka", "broker"):
            check_url(url)
        with self._at("kafka", "topic"):
            if settings.topics.kind(entry.topic) != entry.topic:
                raise SettingsError(f"{entry.topic!r} is one of moodwire's own; take another name")
        return TopicChannel(
            lambda: open_broker(url, settings.kafka),
            entry.topic,
            name=self._receiver.name,
            address=url,
            source=entry.source,
        )

    def _apprise(self, entry: AppriseEntry) -> Channel:
        url = self._secret("apprise", "url", entry.url)
        words = self._words()
        with self._at("apprise", "url"):
            return AppriseChannel(url, name=self._receiver.name, timeout_seconds=entry.timeout_seconds, words=words)

    def _words(self) -> Words:
        entry = self._receiver.templates
        if entry is None:
            return Words(self._wording)
        sources = self.sources(entry)
        if len(sources) < len(entry.keys):
            raise _Wrong
        return Words(self._wording, templates=Templates(sources))

    def sources(self, entry: TemplatesEntry) -> dict[str, str]:
        """The templates that are right; those that are not are added to the file's problems."""
        sources = {}
        for key in entry.keys:
            try:
                sources[key] = self._secret("templates", key, getattr(entry, key), _template)
            except _Wrong:
                continue
        return sources

    def _secret(self, section: str, key: str, secret: Secret, check: Callable[[str], object] = str) -> str:
        """The value of a key, which `check` raises for where it cannot be used."""
        with self._at(section, key):
            text = secret_text(secret)
            check(text)
            return text

    def _optional(
        self, section: str, key: str, secret: Secret | None, check: Callable[[str], object] = str
    ) -> str | None:
        return None if secret is None else self._secret(section, key, secret, check)


def _template(source: str) -> None:
    if problem := template_problem(source):
        raise SettingsError(problem)


def _header_value(text: str) -> None:
    if not (text.isascii() and text.isprintable()):
        raise SettingsError("the value of a header is one line of ASCII characters (it is not shown here)")


def _check_authorities(path: Path | None) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # an SSLError too: a file without certificates
        raise SettingsError(f"{path} holds no authorities ({error.strerror or error}); name a PEM file") from None
