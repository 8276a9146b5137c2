"""Lists in both forms over HTTP, and the command that makes tokens for them."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import app
from tests.board.board_server import filled, serving, settings_in


async def test_a_list_is_csv_with_a_link_to_its_next_page(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    await filled(settings)
    async with serving(settings) as board:
        async with board.client.get("v1/items?limit=2") as answer:
            assert (answer.content_type, answer.headers["Vary"]) == ("application/json", "Accept")
            first = await answer.json()
        async with board.client.get("v1/items.csv?limit=2") as answer:
            assert answer.content_type == "text/csv"
            assert answer.headers["Content-Disposition"] == 'attachment; filename="items.csv"'
            rows = list(csv.DictReader(io.StringIO(await answer.text(), newline="")))
            link = re.fullmatch('<(.*)>; rel="next"', answer.headers["Link"])
        assert link is not None
        async with board.client.get(link[1], headers={"Accept": "text/csv"}) as answer:
            following = list(csv.DictReader(io.StringIO(await answer.text(), newline="")))
        async with board.client.get("v1/items.json?limit=2", headers={"Accept": "text/csv"}) as answer:
            assert await answer.json() == first
    ids = [row["id"] for row in rows]
    assert ids == [item["id"] for item in first["items"]]
    assert len(following) == 2
    assert not {row["id"] for row in following} & set(ids)


def test_tokens_are_made_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    runner = CliRunner()
    made = json.loads(runner.invoke(app, ["tokens", "make", "desk", "--scope", "push", "--json"]).stdout)
    assert (made["name"], made["scopes"]) == ("desk", ["push"])
    listed = runner.invoke(app, ["tokens", "list", "--json"]).stdout
    assert json.loads(listed)["id"] == made["id"]
    assert made["token"] not in listed
    assert runner.invoke(app, ["tokens", "revoke", made["id"]]).exit_code == 0
    assert runner.invoke(app, ["tokens", "list", "--json"]).stdout == ""
    assert runner.invoke(app, ["tokens", "make", "a\nb"]).exit_code == 2
