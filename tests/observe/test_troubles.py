"""Troubles: seen at once, told once an episode and only when they last, and told to be over."""

from __future__ import annotations

import pytest

from alerts.delivery import GiveUp, RetryLater
from streams.observe.notices import Notices
from tests.observe.watched import Clock, Listener, metrics_of, sample, troubles_of


def test_a_blip_is_seen_and_never_told() -> None:
    clock = Clock()
    metrics = metrics_of(clock)
    troubles = troubles_of(metrics, clock)
    troubles.raise_trouble("archive", "answers 503")
    assert sample(metrics, "trouble", reason="archive") == 1
    assert troubles.take_notices() == []
    clock.pass_seconds(59)
    troubles.clear("archive")
    assert sample(metrics, "trouble", reason="archive") == 0
    clock.pass_seconds(3_600)
    assert troubles.take_notices() == []


def test_an_episode_is_told_once_at_its_start_and_once_at_its_end() -> None:
    clock = Clock()
    troubles = troubles_of(metrics_of(clock), clock)
    told = []
    for _ in range(100):
        troubles.raise_trouble("archive", "answers 503")
        told += troubles.take_notices()
        clock.pass_seconds(5)
    troubles.clear("archive")
    told += troubles.take_notices() + troubles.take_notices()
    assert [(notice.change, notice.revision) for notice in told] == [("opened", 1), ("resolved", 2)]
    assert told[0].id == told[1].id


def test_the_next_episode_has_another_id() -> None:
    clock = Clock()
    troubles = troubles_of(metrics_of(clock), clock, grace_ms=0)
    ids = set()
    for _ in range(2):
        troubles.raise_trouble("lag", "behind", "group")
        ids |= {notice.id for notice in troubles.take_notices()}
        troubles.clear("lag", "group")
        ids |= {notice.id for notice in troubles.take_notices()}
        clock.pass_seconds(1)
    assert len(ids) == 2


def test_a_reason_is_over_when_its_last_subject_is() -> None:
    clock = Clock()
    metrics = metrics_of(clock)
    troubles = troubles_of(metrics, clock)
    for subject in ("one", "two"):
        troubles.raise_trouble("feed_silent", "nothing new", subject)
    troubles.clear("feed_silent", "one")
    assert sample(metrics, "trouble", reason="feed_silent") == 1
    troubles.clear("feed_silent", "two")
    assert sample(metrics, "trouble", reason="feed_silent") == 0
    assert sample(metrics, "troubles_total", reason="feed_silent") == 2


def test_a_reason_that_no_dashboard_knows_is_refused() -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="mood"):
        troubles_of(metrics_of(clock), clock).raise_trouble("mood", "bad")


async def test_a_notice_is_tried_until_the_channel_takes_it() -> None:
    clock = Clock()
    troubles = troubles_of(metrics_of(clock), clock, grace_ms=0)
    channel = Listener([RetryLater(30, "busy"), RetryLater(30, "busy")])
    notices = Notices([channel])
    troubles.raise_trouble("broker", "no answer")
    for _ in range(20):
        await notices.turn(troubles.take_notices(), clock())
        clock.pass_seconds(10)
    assert [note.attempt for note in channel.heard] == [1, 2, 3]
    assert {note.id for note in channel.heard} == {channel.heard[0].id}


async def test_a_channel_that_never_will_is_asked_once() -> None:
    clock = Clock()
    troubles = troubles_of(metrics_of(clock), clock, grace_ms=0)
    gone, works = Listener([GiveUp("410")] * 5), Listener()
    notices = Notices([gone, works])
    troubles.raise_trouble("broker", "no answer")
    for _ in range(3):
        await notices.turn(troubles.take_notices(), clock())
        clock.pass_seconds(100)
    assert (len(gone.heard), len(works.heard)) == (1, 1)
    await notices.aclose()
    assert gone.closed
