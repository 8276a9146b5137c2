"""`moodwire rejects list`: people see the first rows, scripts see all."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import Reject
from streams.feeds.rejects import Unprocessed, reject_send
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker


@pytest.mark.parametrize(("more", "rows"), [((), 120), (("--limit", "7"), 7)])
def test_json_lists_all_rows_unless_fewer_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], rows: int
) -> None:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    settings = Settings(data_dir=tmp_path)
    topic = settings.topics.rejects
    with open_broker(settings.broker) as broker:
        broker.ensure_topics(topic_specs(settings))
        bad = Reject("bad_json", "no object")
        parked = [Unprocessed(f"news:0:{n}:e", "news", b"{") for n in range(120)]
        broker.append([reject_send(topic, one, bad, at_ms=n) for n, one in enumerate(parked)])
    listed = CliRunner().invoke(app, ["rejects", "list", "--json", *more])
    assert listed.exit_code == 0
    assert len(listed.stdout.splitlines()) == rows
