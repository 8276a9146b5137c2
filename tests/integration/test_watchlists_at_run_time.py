"""A watchlist that somebody makes while workers run: items from a stored offset on are on it, on every redo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from streams.app import Pipeline
from streams.archive.protocol import Query
from streams.cli import app
from streams.engine.ports import Send
from streams.settings import Settings
from streams.wall_clock import wall_clock_ms
from tests.broker_settings import settings_on
from tests.running_pipeline import running
from tests.serving.swap_harness import opened

LIST = "watchlists: [{name: my bank, names: [Harrowgate Bancorp]}]\n"
SERIES = "watchlist/my bank"


@pytest.fixture(params=["embedded"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, unique_topic: Callable[[str], str]) -> Settings:
    return settings_on(request, tmp_path, unique_topic, CONTROL_SECONDS="0.2")


def called(*words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    return [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]


class Wire:
    """A source that publishes an item about the bank whenever it is asked to."""

    def __init__(self, settings: Settings, pipeline: Pipeline) -> None:
        self._topic, self._group = settings.topics.news, settings.topics.group("score")
        self._pipeline = pipeline
        self.count = 0

    async def scored(self) -> None:
        """Publishes an item, and returns once it is scored."""
        self.count += 1
        item = {"id": str(self.count), "title": f"Harrowgate Bancorp halts withdrawals, part {self.count}"}
        value = msgspec.json.encode({**item, "source": "wire", "language": "en", "seen_ms": wall_clock_ms()})
        self._pipeline.broker.append([Send(self._topic, None, value)])
        while self._pipeline.broker.lag(self._group, self._topic):  # noqa: ASYNC110  # a stage tells no one
            await asyncio.sleep(0.05)

    async def listed(self) -> list[str]:
        """Ids of the items that are on the list."""
        assert self._pipeline.archive is not None
        hits = await self._pipeline.archive.search(Query(series=SERIES, limit=1_000))
        return sorted((hit.item.news.title for hit in hits), key=lambda title: int(title.rpartition(" ")[2]))


async def test_a_list_holds_for_what_comes_after_it_and_ends(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "lists.yaml"
    file.write_text(LIST)
    pipeline = Pipeline(settings, ["score", "deliver"], channels=[], open_model=lambda name, _: opened(name, "1"))
    async with asyncio.timeout(180), pipeline, running(pipeline):
        wire = Wire(settings, pipeline)
        await wire.scored()
        [answer] = await asyncio.to_thread(called, "watchlists", "set", str(file), "--wait", "60")
        assert answer["outcome"] == "accepted"
        while not await wire.listed():
            await wire.scored()
        first = (await wire.listed())[0]
        assert first.rpartition(" ")[2] != "1", "what was scored before it is as it was"
        [answer] = await asyncio.to_thread(called, "watchlists", "remove", "my bank", "--wait", "60")
        assert answer["outcome"] == "accepted"
        await wire.scored()
        while (titles := await wire.listed())[-1].rpartition(" ")[2] == str(wire.count):
            await wire.scored()
    numbers = [int(title.rpartition(" ")[2]) for title in titles]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "one stretch of offsets"
