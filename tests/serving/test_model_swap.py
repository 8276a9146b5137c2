"""A model changes at one offset of a partition, whatever crashes or goes on elsewhere; and the check can fail."""

from __future__ import annotations

import msgspec
import pytest

from models import ArtifactError, Classifier
from streams.engine.runs import Run
from streams.errors import NewerVersion, OlderVersion, Retry
from streams.serving.model_cache import ModelCache
from streams.serving.swap import VERSIONS_KEY, SwappedVersions
from streams.serving.versions import LINES_KEPT, ActiveModels, Line, VersionRow
from streams.serving.watched import LISTS_PREFIX, WatchedLists
from streams.text.watchlists import Watchlist
from tests.engine.positions_harness import FakeState, Fuse
from tests.serving.swap_harness import EPOCH, TOPICS, World, active, judge, opened, play

SCHEDULES = 150


def run(world: World, first: int, end: int) -> Run:
    return Run(TOPICS.news, 0, 1, EPOCH, world.records[first:end], len(world.records))


def world_of(records: int) -> World:
    world = World()
    world.publish(records)
    return world


async def test_every_item_is_scored_by_the_version_of_its_offset() -> None:
    by_version: dict[str, int] = {}
    again = 0
    for seed in range(SCHEDULES):
        try:
            judged = await judge(await play(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        again += judged.again
        for version, count in judged.by_version.items():
            by_version[version] = by_version.get(version, 0) + count
    assert set(by_version) == {"1", "2", "3"}
    assert min(by_version.values()) > 20 * SCHEDULES // 10, "the schedules hardly swap, so they say little"
    assert again > SCHEDULES, "hardly anything was redone"


def own_runs_alone(versions: SwappedVersions, run: Run) -> int:
    """Forgets that others may have begun what stood there before."""
    place = run.partition, run.epoch
    unscored = versions._begun.get(place, run.first_offset)
    versions._begun[place] = max(unscored, run.last_offset + 1)
    return unscored


def first_of_run(versions: SwappedVersions, run: Run) -> int:
    """Forgets that this run may be one that was begun before."""
    return run.first_offset


@pytest.mark.parametrize("rule", ["own runs alone", "first of run", "no row"])
async def test_a_weakened_rule_is_found_out(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if rule == "no row":
        monkeypatch.setattr(SwappedVersions, "of", _without_row)
    else:
        weaker = own_runs_alone if rule == "own runs alone" else first_of_run
        monkeypatch.setattr(SwappedVersions, "_unscored", weaker)
    for seed in range(SCHEDULES):
        try:
            await judge(await play(seed))
        except (AssertionError, KeyError):
            return
    pytest.fail("no schedule found the weakened rule out")


async def _without_row(self: SwappedVersions, run: Run) -> object:
    from streams.serving.swap import Part

    wanted = self._cache.wanted
    return [Part(run.last_offset + 1, wanted.promotion, self._cache.classifiers(wanted))]


async def test_a_worker_that_is_up_to_date_swaps_with_its_next_run() -> None:
    world = world_of(10)
    state, cache = FakeState(Fuse()), ModelCache(opened, active(1))
    versions = SwappedVersions(cache, state)
    await versions.of(run(world, 0, 10))
    cache.want(active(2))
    world.publish(10)
    [part] = await versions.of(run(world, 10, 20))
    assert [one.version for one in part.classifiers.values()] == ["2"]
    row = VersionRow.from_bytes(state.get(0, VERSIONS_KEY))
    assert row.epochs == {EPOCH: [Line(0, active(1)), Line(10, active(2))]}


async def test_a_successor_scores_what_waited_by_the_old_version_and_cuts_the_run_there() -> None:
    world = world_of(10)
    state = FakeState(Fuse())
    await SwappedVersions(ModelCache(opened, active(1)), state).of(run(world, 0, 4))
    successor = SwappedVersions(ModelCache(opened, active(2)), state)
    [old] = await successor.of(run(world, 2, 6))
    assert old.promotion == 1
    world.publish(10)
    parts = await successor.of(run(world, 6, 14))
    assert [(part.end_offset, part.promotion) for part in parts] == [(10, 1), (14, 2)]


async def test_a_worker_that_has_not_heard_takes_no_promotion_back() -> None:
    world = world_of(20)
    state = FakeState(Fuse())
    await SwappedVersions(ModelCache(opened, active(2)), state).of(run(world, 0, 4))
    [part] = await SwappedVersions(ModelCache(opened, active(1)), state).of(run(world, 4, 20))
    assert part.promotion == 2


def test_of_models_and_watchlists_the_newer_ones_hold_each_by_itself() -> None:
    latest = ActiveModels({"en": ("model", "2")}, 2, "a", 7)
    assert ActiveModels({"en": ("model", "1")}, 1, "b", 8).after(latest) == ActiveModels(latest.models, 2, "b", 8)
    newer = ActiveModels({"en": ("model", "3")}, 3, "", 0)
    assert newer.after(latest) == ActiveModels(newer.models, 3, "a", 7)
    assert latest.after(latest) == latest


async def test_lists_are_written_before_their_line_and_go_with_the_last_line_that_needs_them() -> None:
    world, state, lists = world_of(4), FakeState(Fuse()), WatchedLists()
    cache = ModelCache(opened, active(1))
    versions = SwappedVersions(cache, state, lists)
    await versions.of(run(world, 0, 4))
    for number in range(1, LINES_KEPT + 3):
        digest = lists.take([Watchlist(f"list {number}", names=("x",))])
        cache.want(msgspec.structs.replace(active(1), lists=digest, lists_change=number))
        world.publish(4)
        [part] = await versions.of(run(world, 4 * number, 4 * number + 4))
        assert part.lists is not None
        assert part.lists.names == {f"list {number}"}
    stored = {key for key, _ in state.items(0) if key.startswith(LISTS_PREFIX)}
    row = VersionRow.from_bytes(state.get(0, VERSIONS_KEY))
    assert stored == {LISTS_PREFIX + digest for digest in row.digests}
    assert len(stored) == LINES_KEPT
    successor = SwappedVersions(ModelCache(opened, active(1)), state)
    [part] = await successor.of(run(world, 4 * LINES_KEPT, 4 * LINES_KEPT + 4))
    assert part.lists is not None
    assert part.lists.names == {f"list {LINES_KEPT}"}


async def test_a_version_that_is_not_at_hand_holds_the_partition() -> None:
    def nothing_but_two(name: str, version: str) -> Classifier:
        if version != "2":
            raise ArtifactError(f"there is no model {name} {version}")
        return opened(name, version)

    world = world_of(4)
    state = FakeState(Fuse())
    await SwappedVersions(ModelCache(opened, active(1)), state).of(run(world, 0, 4))
    with pytest.raises(Retry, match="wait for it: there is no model model 1"):
        await SwappedVersions(ModelCache(nothing_but_two, active(2)), state).of(run(world, 0, 4))


async def test_a_topic_made_again_begins_with_the_wanted_version() -> None:
    world = world_of(4)
    state = FakeState(Fuse())
    await SwappedVersions(ModelCache(opened, active(1)), state).of(run(world, 0, 4))
    again = Run(TOPICS.news, 0, 1, "another", world.records[0:4], 9)
    [part] = await SwappedVersions(ModelCache(opened, active(2)), state).of(again)
    assert part.promotion == 2


def test_a_row_stays_small_and_one_of_a_version_to_come_is_refused() -> None:
    row = VersionRow()
    for number in range(100):
        row = row.extended("e", number * 10, active(number))
    assert len(row.epochs["e"]) == LINES_KEPT
    assert row.covering("e", 0, 5)[0].active == active(100 - LINES_KEPT)
    for number in range(9):
        row = row.extended(f"e{number}", 0, active(1))
    assert list(row.epochs) == ["e5", "e6", "e7", "e8"]
    row.version = 3
    with pytest.raises(NewerVersion):
        VersionRow.from_bytes(row.to_bytes())
    row.version = 1
    with pytest.raises(OlderVersion, match="Start afresh"):
        VersionRow.from_bytes(row.to_bytes())


def test_a_model_that_cannot_be_loaded_leaves_the_cache_as_it_was() -> None:
    def fails(name: str, version: str) -> Classifier:
        if version == "2":
            raise ArtifactError("broken")
        return opened(name, version)

    cache = ModelCache(fails, active(1))
    with pytest.raises(ArtifactError):
        cache.want(active(2))
    assert cache.wanted == active(1)
    for number in range(3, 9):
        cache.want(active(number))
    assert len(cache._models) <= 3
