"""The lease goes by the clock that says more, and only an answered heartbeat renews it."""

from __future__ import annotations

from streams.transport.kafka.lease import Lease, clocks


class Clocks:
    """Two clocks that a test turns."""

    def __init__(self) -> None:
        self.boot, self.wall = 100.0, 1_700_000_000.0

    def __call__(self) -> tuple[float, float]:
        return self.boot, self.wall


def test_it_is_not_fresh_before_the_first_answer_and_half_a_session_after_the_last() -> None:
    now = Clocks()
    lease = Lease(6.0, now)
    found = [lease.fresh]
    lease.renew(now())
    for seconds in (0.0, 2.9, 0.2):
        now.boot += seconds
        now.wall += seconds
        found.append(lease.fresh)
    assert found == [False, True, True, False]


def test_a_machine_that_slept_is_told_by_the_wall_clock() -> None:
    now = Clocks()
    lease = Lease(6.0, now)
    lease.renew(now())
    now.wall += 60
    assert not lease.fresh
    assert lease.age_seconds == 60


def test_a_wall_clock_that_is_put_back_makes_no_lease_longer() -> None:
    now = Clocks()
    lease = Lease(6.0, now)
    lease.renew(now())
    now.wall -= 3_600
    now.boot += 4
    assert not lease.fresh


def test_an_answer_that_comes_late_counts_from_when_it_was_asked() -> None:
    now = Clocks()
    lease = Lease(6.0, now)
    asked = now()
    now.boot += 5
    now.wall += 5
    lease.renew(asked)
    assert not lease.fresh


def test_the_real_clocks_go_on() -> None:
    before = clocks()
    after = clocks()
    assert all(b <= a for b, a in zip(before, after, strict=True))
