"""`moodwire alerts test` through every channel, each with a real receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import MoodwireError
from streams.receivers.entries import CHANNEL_KEYS
from streams.transport.broker import open_broker
from tests.integration.ports import free_port
from tests.webhook_receiver import WebhookReceiver, receiving

RUNNER = CliRunner(env={"COLUMNS": "200"})
ROUTES = """
receivers:
  - {{name: manager, alertmanager: {{url: "{url}"}}}}
  - name: desk
    email: {{to: [desk@example.org], from: moodwire@example.org, host: 127.0.0.1, port: {smtp}, security: none}}
  - {{name: bot, webhook: {{url: "{url}", format: cloudevents}}}}
  - {{name: pager, pagerduty: {{routing_key: key, url: "{url}"}}}}
  - {{name: feed, atom: {{path: {folder}/alerts.atom}}}}
  - {{name: warehouse, kafka: {{topic: alerts.out}}}}
  - name: chat
    apprise: {{url: "ntfy://127.0.0.1:{port}/topic"}}
    templates: {{text: "{{{{ change }}}} [bold] {{{{ summary }}}}"}}
"""


class Mailbox:
    """Keeps the subjects of what it takes, and the kinds of parts."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.kinds: set[str] = set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content)
        self.subjects.append(str(mail["Subject"]))
        self.kinds |= {part.get_content_type() for part in mail.walk()}
        return "250 OK"


@pytest.fixture
def server() -> Iterator[WebhookReceiver]:
    with receiving(200) as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    port = free_port()
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def routes(
    server: WebhookReceiver, mailbox: tuple[Mailbox, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    path = tmp_path / "routes.yaml"
    port = server.server_address[1]
    path.write_text(ROUTES.format(url=server.url, smtp=mailbox[1], folder=tmp_path, port=port))
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MOODWIRE_ROUTES", str(path))
    monkeypatch.setenv("MOODWIRE_TERMINAL", "false")
    monkeypatch.setenv("MOODWIRE_ALERTS_FILE", str(tmp_path / "alerts.ndjson"))
    (tmp_path / "data" / "live").mkdir(parents=True)
    return path


def test_one_alert_and_its_end_reach_every_receiver(
    routes: Path, server: WebhookReceiver, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    result = RUNNER.invoke(app, ["alerts", "test", "--json"])
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["receiver"] for one in found] == [
        "file",
        "manager",
        "desk",
        "bot",
        "pager",
        "feed",
        "warehouse",
        "chat",
    ]
    assert len(found) == len(CHANNEL_KEYS) + 1  # and the file
    assert all(one["delivered"] for one in found)
    assert len(server.posts) == 2 * 4
    box, _ = mailbox
    assert ["WARNING" in box.subjects[0], "RESOLVED" in box.subjects[1]] == [True, True]
    assert "image/png" in box.kinds
    assert (tmp_path / "alerts.atom").read_text().count("<entry>") == 2
    assert len((tmp_path / "alerts.ndjson").read_text().splitlines()) == 2
    with open_broker(f"sqlite://{tmp_path}/data/live/broker.db") as broker:
        assert len(list(broker.scan("alerts.out"))) == 2


def test_what_is_not_delivered_is_named_with_its_problem_and_hides_no_other(
    routes: Path, server: WebhookReceiver
) -> None:
    server.status = 401
    result = RUNNER.invoke(app, ["alerts", "test", "bot", "feed"])
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["failed     bot: opened: answered 401", "delivered  feed"]


def test_a_receiver_that_is_not_known_is_refused(routes: Path) -> None:
    result = RUNNER.invoke(app, ["alerts", "test", "pagr"])
    assert isinstance(result.exception, MoodwireError)
    assert "there is no receiver 'pagr'; did you mean 'pager'?" in str(result.exception)


def test_a_preview_shows_what_templates_make_and_sends_nothing(routes: Path, server: WebhookReceiver) -> None:
    result = RUNNER.invoke(app, ["alerts", "preview", "chat"])
    assert result.exit_code == 0, result.output
    first, opened, again, resolved = result.stdout.splitlines()
    assert (first, again) == ("text", "text")
    assert opened.startswith("  opened [bold] 7 negative in 2 h")
    assert resolved.startswith("  resolved [bold] back to normal")
    assert server.posts == []


def test_a_preview_of_a_template_that_fails_says_why(routes: Path) -> None:
    routes.write_text('receivers: [{name: a, atom: {path: a}, templates: {text: "{{ nothing }}"}}]')
    result = RUNNER.invoke(app, ["alerts", "preview", "a"])
    assert result.exit_code == 1
    assert "failed  text: 'nothing' is undefined" in result.stdout
