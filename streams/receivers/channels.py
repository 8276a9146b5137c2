"""From the settings and the receivers of routes.yaml to channels."""

from __future__ import annotations

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
from alerts.delivery.smtp import SmtpServer
from alerts.errors import DeliveryError
from alerts.wording import Wording
from streams.errors import SettingsError
from streams.net.client import open_client
from streams.receivers.chat import AppriseChannel
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
    receiver_mistake,
)
from streams.receivers.secrets import Secret, secret_text
from streams.receivers.templates.rewriting import Templates
from streams.receivers.templates.syntax import template_problem
from streams.receivers.topic import TopicChannel
from streams.settings import Settings
from streams.terminal import Terminal
from streams.text.profile import load_profile
from streams.transport.broker import check_url, open_broker
from streams.userfiles import WrongFile, suggestion

__all__ = ["channels_of", "rates_of", "templates_of"]


def channels_of(settings: Settings) -> list[Channel]:
    """Returns the channels that the settings name, then those of the receivers of routes.yaml.

    Raises `SettingsError`, `WrongFile` or `alerts.DeliveryError` for what cannot work.
    """
    wording = load_profile(settings.profile).wording
    channels = _of_settings(settings, wording)
    receivers = read_receivers(settings.routes)
    _refuse_taken_names(receivers, channels, settings)
    return [*channels, *(_Opening(settings, receiver, wording).channel() for receiver in receivers)]


def rates_of(settings: Settings) -> dict[str, Rate]:
    """Returns how often the receivers of routes.yaml may be sent something, by name, where they say so."""
    receivers = read_receivers(settings.routes)
    return {one.name: one.at_most.rate for one in receivers if one.at_most is not None}


def templates_of(settings: Settings, receiver: str) -> Templates:
    """Returns the templates of a receiver. Raises `SettingsError` where it has none, or there is no such receiver."""
    receivers = read_receivers(settings.routes)
    found = next((one for one in receivers if one.name == receiver), None)
    if found is None:
        known = [one.name for one in receivers]
        raise SettingsError(f"routes.yaml has no receiver {receiver!r}; {suggestion(receiver, known)}")
    if found.templates is None:
        raise SettingsError(f"the receiver {receiver!r} has no templates; it gets the built-in words")
    return Templates(_Opening(settings, found, Wording.of()).sources(found.templates))


def _of_settings(settings: Settings, wording: Wording) -> list[Channel]:
    channels: list[Channel] = []
    if settings.terminal:
        channels.append(TerminalChannel(Terminal(), wording=wording))
    if settings.alerts_file is not None:
        channels.append(FileChannel(settings.alerts_file))
    if settings.webhook_url is not None:
        secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
        url = settings.webhook_url.get_secret_value()
        channels.append(WebhookChannel(url, secret=secret, client=open_client([url], settings.net)))
    return channels


def _refuse_taken_names(receivers: tuple[Receiver, ...], channels: list[Channel], settings: Settings) -> None:
    taken = {channel.name for channel in channels}
    found = next((receiver.name for receiver in receivers if receiver.name in taken), None)
    if found is not None:
        raise SettingsError(f"{settings.routes}: the settings have a receiver {found!r} already; take another name")


class _Opening:
    """One receiver on its way to a channel."""

    def __init__(self, settings: Settings, receiver: Receiver, wording: Wording) -> None:
        self._settings, self._receiver, self._wording = settings, receiver, wording

    def channel(self) -> Channel:
        """Opens it. Raises `WrongFile` with the line where it cannot work."""
        try:
            return self._open()
        except DeliveryError as error:
            raise self._wrong(self._receiver.channels[0], problem=str(error)) from None

    def _open(self) -> Channel:
        match getattr(self._receiver, self._receiver.channels[0]):
            case AlertmanagerEntry() as entry:
                return self._alertmanager(entry)
            case EmailEntry() as entry:
                return self._email(entry)
            case WebhookEntry() as entry:
                return self._webhook(entry)
            case PagerDutyEntry() as entry:
                return self._pagerduty(entry)
            case AtomEntry() as entry:
                return self._atom(entry)
            case TopicEntry() as entry:
                return self._topic(entry)
            case AppriseEntry() as entry:
                return self._apprise(entry)
            case other:
                raise TypeError(f"no channel for {type(other).__name__}")

    def _alertmanager(self, entry: AlertmanagerEntry) -> Channel:
        url = self._secret("url", entry.url)
        return AlertmanagerChannel(
            url,
            name=self._receiver.name,
            labels=entry.labels,
            hold_hours=entry.hold_hours,
            authorization=self._optional("authorization", entry.authorization),
            client=open_client([api_url(url)], self._settings.net),
            words=self._words(),
        )

    def _email(self, entry: EmailEntry) -> Channel:
        server = SmtpServer(
            entry.host,
            entry.port,
            entry.security,
            entry.user,
            self._optional("password", entry.password),
            Path(entry.ca) if entry.ca else None,
        )
        return EmailChannel(server, entry.sender, entry.to, name=self._receiver.name, words=self._words())

    def _webhook(self, entry: WebhookEntry) -> Channel:
        url = self._secret("url", entry.url)
        return WebhookChannel(
            url,
            self._optional("secret", entry.secret),
            name=self._receiver.name,
            body_format=entry.format,
            source=entry.source,
            client=open_client([url], self._settings.net),
        )

    def _pagerduty(self, entry: PagerDutyEntry) -> Channel:
        return PagerDutyChannel(
            self._secret("routing_key", entry.routing_key),
            name=self._receiver.name,
            url=entry.url,
            source=entry.source,
            client=open_client([entry.url], self._settings.net),
            words=self._words(),
        )

    def _atom(self, entry: AtomEntry) -> Channel:
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
        check_url(url)
        if settings.topics.kind(entry.topic) != entry.topic:
            raise self._wrong("kafka", "topic", problem=f"{entry.topic!r} is one of moodwire's own; take another name")
        return TopicChannel(
            lambda: open_broker(url, settings.kafka),
            entry.topic,
            name=self._receiver.name,
            address=url,
            source=entry.source,
        )

    def _apprise(self, entry: AppriseEntry) -> Channel:
        return AppriseChannel(
            self._secret("url", entry.url),
            name=self._receiver.name,
            timeout_seconds=entry.timeout_seconds,
            words=self._words(),
        )

    def _words(self) -> Words:
        entry = self._receiver.templates
        return Words(self._wording, templates=None if entry is None else Templates(self.sources(entry)))

    def sources(self, entry: TemplatesEntry) -> dict[str, str]:
        sources = {}
        for key in entry.keys:
            sources[key] = self._text(getattr(entry, key), "templates", key)
            if problem := template_problem(sources[key]):
                raise self._wrong("templates", key, problem=problem)
        return sources

    def _secret(self, key: str, secret: Secret) -> str:
        return self._text(secret, self._receiver.channels[0], key)

    def _text(self, secret: Secret, *keys: str) -> str:
        try:
            return secret_text(secret)
        except SettingsError as error:
            raise self._wrong(*keys, problem=str(error)) from None

    def _wrong(self, *keys: str, problem: str) -> WrongFile:
        return receiver_mistake(self._settings.routes, self._receiver.name, keys, problem)

    def _optional(self, key: str, secret: Secret | None) -> str | None:
        return None if secret is None else self._secret(key, secret)
