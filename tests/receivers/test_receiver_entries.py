"""The receivers of routes.yaml: what is read, and every mistake with its line and fix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from alerts.delivery import Rate
from streams.errors import SettingsError
from streams.receivers.channels import channels_of, rates_of
from streams.receivers.entries import CHANNEL_KEYS, RateEntry, Receiver, TemplatesEntry, read_receivers
from streams.settings import Settings
from streams.userfiles import WrongFile

GOOD = """
receivers:
  - name: on call
    alertmanager: {url: "http://127.0.0.1:9093", labels: {team: desk}}
route: {receiver: on call}
"""


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    return tmp_path / "routes.yaml"


def test_receivers_are_read_and_what_routes_say_is_left_to_others(routes: Path) -> None:
    routes.write_text(GOOD)
    (receiver,) = read_receivers(routes)
    assert (receiver.name, receiver.channels) == ("on call", ["alertmanager"])


MISTAKES = {
    "no channel": ("  - name: a", "2: receivers, entry 1: has no channel; give it one of alertmanager"),
    "no name": ('  - alertmanager: {url: "http://a"}', "2: receivers, entry 1: the key 'name' is missing"),
    "an empty name": ('  - {name: "", alertmanager: {url: "http://a"}}', "2: receivers, entry 1: name: take a text"),
    "a name of two lines": ('  - {name: "a\\nb", alertmanager: {url: "http://a"}}', "name: take one line"),
    "an unknown channel": ("  - {name: a, alertmanger: {}}", "'alertmanger'; did you mean 'alertmanager'?"),
    "no address": ("  - {name: a, alertmanager: {}}", "the key 'url' is missing"),
    "a hold below zero": (
        '  - {name: a, alertmanager: {url: "http://a", hold_hours: -1}}',
        "alertmanager.hold_hours: take a number above 0 to 8760, not '-1'",
    ),
    "an address that is a number": (
        "  - {name: a, apprise: {url: 5}}",
        "apprise.url: take a text or keys such as file, env; a text that looks like a number or date needs quotes",
    ),
    "a user that is a number": (
        "  - {name: a, email: {to: [a@b.c], from: a@b.c, host: h, user: 5, password: p}}",
        "email.user: take a text, in quotes",
    ),
    "a secret from nowhere": ("  - {name: a, alertmanager: {url: {}}}", "name either a file or a variable"),
    "a secret from two places": (
        "  - {name: a, alertmanager: {url: {file: /a, env: B}}}",
        "name either a file or a variable",
    ),
    "no addresses": (
        "  - {name: a, email: {to: [], from: a@b.c, host: h}}",
        "email.to: is empty; write a list of texts",
    ),
    "an address that is none": (
        "  - {name: a, email: {to: [a@b.c, desk], from: a@b.c, host: h}}",
        "email.to, entry 2: 'desk' is no e-mail address",
    ),
    "a sender that is none": ("  - {name: a, email: {to: [a@b.c], from: desk, host: h}}", "email.from: 'desk' is no"),
    "a login in the clear": (
        "  - {name: a, email: {to: [a@b.c], from: a@b.c, host: h, security: none, user: u, password: p}}",
        "email.security: a login needs starttls or tls",
    ),
    "half a login": ("  - {name: a, email: {to: [a@b.c], from: a@b.c, host: h, user: u}}", "a user and a password"),
    "an unknown security": (
        "  - {name: a, email: {to: [a@b.c], from: a@b.c, host: h, security: startls}}",
        "email.security: take none, starttls or tls, not 'startls'; did you mean 'starttls'?",
    ),
    "an unknown format": (
        '  - {name: a, webhook: {url: "http://a", format: cloudevent}}',
        "webhook.format: take cloudevents or standard, not 'cloudevent'; did you mean 'cloudevents'?",
    ),
    "a topic that none can be called": ("  - {name: a, kafka: {topic: a b}}", "kafka.topic: take letters, digits"),
    "a broker that is none": (
        "  - {name: a, kafka: {topic: a, broker: h:9092}}",
        "kafka.broker: take kafka://host:port",
    ),
    "a rate of no length": (
        "  - {name: a, atom: {path: a}, at_most: {messages: 2, per: hour}}",
        "at_most.per: 'hour' is no length of time",
    ),
    "a rate of nothing": ("  - {name: a, atom: {path: a}, at_most: {messages: 0, per: 1h}}", "at_most.messages: take"),
    "a template that is no Jinja": (
        "  - {name: a, atom: {path: a}, templates: {text: 'a {{ b'}}",
        "templates.text: line 1 of the template: unexpected end",
    ),
    "a template for programs": (
        '  - {name: a, webhook: {url: "http://a"}, templates: {text: x}}',
        "templates: programs read this channel",
    ),
    "HTML for a chat": (
        '  - {name: a, apprise: {url: "ntfy://a/b"}, templates: {html: x}}',
        "templates.html: e-mail alone has HTML",
    ),
    "a filter that does not exist": (
        "  - {name: a, atom: {path: a}, templates: {text: '{{ subject | uper }}'}}",
        "templates.text: line 1 of the template: No filter named 'uper'.; correct its Jinja",
    ),
    "a label that Alertmanager cannot have": (
        '  - {name: a, alertmanager: {url: "http://a", labels: {my-team: x}}}',
        "2: receivers, entry 1: alertmanager.labels.my-team: is no name of a label",
    ),
    "one name twice": (
        '  - {name: a, alertmanager: {url: "http://a"}}\n  - {name: a, alertmanager: {url: "http://b"}}',
        "3: receivers, entry 2: name: there is another receiver 'a'",
    ),
}


@pytest.mark.parametrize(("written", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_named_with_its_line_and_fix(written: str, problem: str, routes: Path) -> None:
    routes.write_text(f"receivers:\n{written}\n")
    with pytest.raises(WrongFile) as caught:
        read_receivers(routes)
    assert any(problem in text for text in caught.value.problems), caught.value.problems


def _settings(routes: Path) -> Settings:
    return Settings(routes=routes, data_dir=routes.parent, terminal=True)


def test_channels_are_those_of_the_settings_and_of_the_receivers(routes: Path) -> None:
    routes.write_text(GOOD)
    assert [channel.name for channel in channels_of(_settings(routes))] == ["terminal", "on call"]


def test_a_receiver_has_no_name_of_a_channel_of_the_settings(routes: Path) -> None:
    routes.write_text(GOOD.replace("on call", "terminal"))
    with pytest.raises(SettingsError, match="the settings have a receiver 'terminal' already"):
        channels_of(_settings(routes))


def test_a_receiver_may_say_how_often_it_is_sent_something(routes: Path) -> None:
    routes.write_text(
        "receivers:\n  - {name: a, atom: {path: a}, at_most: {messages: 20, per: 1h30m}}\n"
        "  - {name: b, atom: {path: b}}\n"
    )
    assert rates_of(_settings(routes)) == {"a": Rate(20, 5_400_000)}


@pytest.mark.parametrize("topic", ["moodwire.live.alerts", "moodwire.live.anything"])
def test_no_receiver_writes_to_a_topic_of_moodwires_own(topic: str, routes: Path) -> None:
    routes.write_text(f"receivers: [{{name: a, kafka: {{topic: {topic}}}}}]")
    with pytest.raises(SettingsError, match=r"kafka\.topic: receiver 'a': .* is one of moodwire's own"):
        channels_of(_settings(routes))


@pytest.mark.parametrize("scheme", ["json", "file", "syslog", "mailto", "dbus", "slak", "http"])
def test_a_service_that_is_not_on_the_list_is_refused(scheme: str, routes: Path) -> None:
    routes.write_text(f'receivers: [{{name: a, apprise: {{url: "{scheme}://s3cret/x"}}}}]')
    with pytest.raises(WrongFile, match=r"must begin with one of discord, .*slack") as caught:
        channels_of(_settings(routes))
    assert "s3cret" not in str(caught.value)


def test_an_address_of_a_service_that_lacks_its_parts_is_refused(routes: Path) -> None:
    routes.write_text('receivers: [{name: a, apprise: {url: "slack://s3cret"}}]')
    with pytest.raises(WrongFile, match="is no slack:// address") as caught:
        channels_of(_settings(routes))
    assert "s3cret" not in str(caught.value)


def test_an_address_that_cannot_work_is_not_shown(routes: Path) -> None:
    routes.write_text('receivers: [{name: a, alertmanager: {url: "s3cret"}}]')
    with pytest.raises(WrongFile, match="must look like https://host/path") as caught:
        channels_of(_settings(routes))
    assert "s3cret" not in str(caught.value)


def test_secrets_come_from_files_and_the_environment(routes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = routes.with_name("address")
    secret.write_text("http://127.0.0.1:1/\n")
    monkeypatch.setenv("PAGER_URL", "http://127.0.0.1:2/")
    routes.write_text(
        f"receivers:\n  - {{name: a, alertmanager: {{url: {{file: {secret}}}}}}}\n"
        "  - {name: b, alertmanager: {url: {env: PAGER_URL}}}\n"
    )
    assert [repr(one).split("/")[2] for one in channels_of(_settings(routes))[1:]] == ["127.0.0.1:1", "127.0.0.1:2"]
    monkeypatch.delenv("PAGER_URL")
    with pytest.raises(SettingsError, match=r"alertmanager\.url: receiver 'b': the variable PAGER_URL is empty"):
        channels_of(_settings(routes))
    secret.unlink()
    with pytest.raises(SettingsError, match=r"receiver 'a': .*address cannot be read .*name a file with the value"):
        channels_of(_settings(routes))


def test_the_examples_of_the_page_are_read_and_every_channel_has_its_keys_there(routes: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "deploy" / "receivers.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    routes.write_text(example)
    assert {receiver.channels[0] for receiver in read_receivers(routes)} == set(CHANNEL_KEYS)
    entries = {field.name: field.type for field in msgspec.structs.fields(Receiver) if field.name in CHANNEL_KEYS}
    assert list(entries) == list(CHANNEL_KEYS)
    keys = {key for entry in (*entries.values(), RateEntry | None, TemplatesEntry | None) for key in _keys(entry)}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def _keys(entry: object) -> list[str]:
    struct = next(one for one in get_args(entry) if one is not type(None))
    return [field.encode_name for field in msgspec.structs.fields(struct)]
