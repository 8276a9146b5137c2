"""A worker follows what is promoted; what it cannot load or read leaves it as it is, and is said."""

from __future__ import annotations

import pytest

from models import ArtifactError, Classifier
from streams.errors import Retry
from streams.serving.control import Control, Promotion
from streams.serving.follower import Follower
from streams.serving.model_cache import ModelCache
from streams.serving.versions import ActiveModels
from tests.serving.swap_harness import opened

PROFILE = {"en": ("model", "1")}


def control(version: str, number: int, language: str = "en") -> Control:
    promotion = Promotion(
        language=language, name="model", version=version, number=number, at_ms=number, by="ann", gate="passed"
    )
    return Control({language: promotion})


class World:
    """What `control` says now, or the error of reading it; versions that cannot be loaded."""

    def __init__(self) -> None:
        self.said: Control | Exception = Control()
        self.missing: set[str] = set()
        self.troubles: list[str | None] = []
        self.cache = ModelCache(self.opened, ActiveModels(PROFILE))

    def opened(self, name: str, version: str) -> Classifier:
        if version in self.missing:
            raise ArtifactError(f"there is no model {name} {version}")
        return opened(name, version)

    def read(self) -> Control:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def follower(self) -> Follower:
        return Follower(self.read, self.cache, PROFILE, every_seconds=3_600, on_trouble=self.troubles.append)


async def test_what_is_promoted_is_wanted_and_other_languages_are_not_the_profiles() -> None:
    world = World()
    async with world.follower() as follower:
        world.said = control("2", 5)
        await follower.look()
        assert world.cache.wanted == ActiveModels({"en": ("model", "2")}, 5)
        world.said = control("3", 6, "de")
        await follower.look()
        assert world.cache.wanted == ActiveModels(PROFILE, 6)


async def test_what_stands_there_at_the_start_is_wanted_or_the_start_fails() -> None:
    world = World()
    world.said = control("2", 5)
    async with world.follower():
        assert world.cache.wanted.promotion == 5
    world.missing = {"3"}
    world.said = control("3", 6)
    with pytest.raises(ArtifactError):
        async with world.follower():
            pass


async def test_what_cannot_be_loaded_leaves_the_old_one_is_a_trouble_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.missing = {"2"}
    async with world.follower() as follower:
        world.said = control("2", 5)
        for _ in range(3):
            await follower.look()
        assert world.cache.wanted == ActiveModels(PROFILE)
        assert "there is no model model 2" in str(world.troubles[-1])
        assert caplog.text.count("cannot be followed") == 1, "said once"
        world.missing = set()
        await follower.look()
        assert world.troubles.pop() is None
        assert world.cache.wanted.promotion == 5


async def test_a_broker_that_is_away_is_no_trouble_of_the_model() -> None:
    world = World()
    async with world.follower() as follower:
        world.said = Retry("the broker is away")
        await follower.look()
        assert world.troubles == []
        assert world.cache.wanted == ActiveModels(PROFILE)


async def test_a_record_that_cannot_be_read_is_a_trouble_and_the_rest_is_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.said = Control(control("2", 5).promotions, unreadable=("the record shadow/en cannot be read",))
    async with world.follower() as follower:
        assert world.cache.wanted.promotion == 5
        await follower.look()
        assert world.troubles == ["the record shadow/en cannot be read"] * 2
        assert caplog.text.count("shadow/en") == 1, "said once"
        world.said = control("2", 5)
        await follower.look()
        assert world.troubles[-1] is None
