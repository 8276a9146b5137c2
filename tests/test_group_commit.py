"""The group writer, and one contract for those who write with it: the embedded broker and the embedded archive."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from pathlib import Path

import pytest

from streams.errors import Damaged, MoodwireError
from streams.group_commit import GroupWriter
from tests.group_commit_users import IN_FLIGHT, JOB_VALUES, USERS, User, locked

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=USERS)
async def user(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[User]:
    made = USERS[request.param](tmp_path)
    yield made
    await asyncio.to_thread(made.close)


@contextmanager
def counted_commits(user: User) -> Iterator[list[str]]:
    commits: list[str] = []
    user.db.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
    yield commits
    user.db.set_trace_callback(None)


async def test_what_waits_together_is_one_transaction(user: User) -> None:
    with counted_commits(user) as commits:
        with locked(user.path):  # the writer waits here with the first job while the others queue up
            answers = [user.put([number]) for number in range(50)]
            await asyncio.sleep(0)  # the archive's jobs are tasks, which begin now
        await asyncio.gather(*answers)
    assert user.stored() == list(range(50))
    assert len(commits) <= 2


async def test_a_refused_job_fails_alone_and_leaves_nothing(user: User) -> None:
    with locked(user.path):
        answers = [user.put(numbers) for numbers in ([0, 1], [2, -1], [3], [-1, 4], [5])]
        await asyncio.sleep(0)
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [False, True, False, True, False]
    assert user.stored() == [0, 1, 3, 5]


async def test_a_full_disk_fails_every_waiter_and_the_writer_goes_on(user: User) -> None:
    await user.put([0])
    pages = user.db.execute("PRAGMA page_count").fetchone()[0]
    user.db.execute(f"PRAGMA max_page_count = {pages}")
    with locked(user.path):
        answers = [user.put(range(job * 2_000 + 1, job * 2_000 + 2_001)) for job in range(5)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert any(isinstance(result, MoodwireError) for result in results)
    assert all(result is None or isinstance(result, MoodwireError | list) for result in results)
    user.db.execute("PRAGMA max_page_count = 1000000")
    await user.put([99_999])
    kept = [numbers for job, numbers in enumerate(jobs_of(2_000, 5)) if not isinstance(results[job], Exception)]
    assert user.stored() == [0, *chain.from_iterable(kept), 99_999]


def jobs_of(size: int, jobs: int) -> list[range]:
    return [range(job * size + 1, (job + 1) * size + 1) for job in range(jobs)]


async def test_who_gives_up_disturbs_nobody(user: User) -> None:
    with locked(user.path):
        abandoned = asyncio.ensure_future(user.put([0]))
        kept = user.put([1])
        await asyncio.sleep(0)
        abandoned.cancel()
    await kept
    assert user.stored() == [0, 1]


async def test_close_finishes_what_waits_and_refuses_what_comes_after(user: User) -> None:
    with locked(user.path):
        answers = [user.put([number]) for number in range(50)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(asyncio.to_thread(user.group.close))
    await asyncio.gather(*answers)
    await closing
    assert user.stored() == list(range(50))
    with pytest.raises(MoodwireError, match="is closed"):
        await user.put([50])


async def test_each_event_loop_gets_its_answers_and_one_that_ends_early_harms_none(user: User) -> None:
    async def in_time() -> None:
        await asyncio.gather(*(user.put([number]) for number in range(10)))

    async def too_early() -> None:
        user.put([10])
        await asyncio.sleep(0)

    with locked(user.path):
        early = threading.Thread(target=asyncio.run, args=(too_early(),))
        early.start()
        await asyncio.to_thread(early.join)
    other = threading.Thread(target=asyncio.run, args=(in_time(),))
    other.start()
    await asyncio.to_thread(other.join)
    await user.put([11])
    assert sorted(user.stored()) == list(range(12))


async def test_a_file_that_is_gone_fails_every_waiter(user: User) -> None:
    with locked(user.path):
        answers = [user.put([number]) for number in range(5)]
        await asyncio.sleep(0)
        user.path.unlink()
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert all(isinstance(result, Damaged) for result in results)
    with pytest.raises(Damaged):
        await user.put([5])


@pytest.mark.parametrize("kind", USERS)
@pytest.mark.parametrize("acknowledged", [1, 40, 150])
def test_what_was_acknowledged_survives_a_kill_and_each_job_is_whole(
    kind: str, acknowledged: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.group_commit_users", kind, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(acknowledged)]
        process.kill()
        told += [int(line) for line in process.stdout]
    assert told == list(range(len(told)))
    after = USERS[kind](tmp_path)
    stored = after.stored()
    after.close()
    assert stored == list(range(len(stored))), "in order, without a gap"
    assert len(stored) % JOB_VALUES == 0
    assert len(told) <= len(stored) // JOB_VALUES <= len(told) + IN_FLIGHT


class Refusing:
    """Transactions that cannot be begun, or not committed; counts what was tried."""

    def __init__(self, *, at_begin: bool) -> None:
        self.at_begin = at_begin
        self.tried = 0
        self.release = threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.release.wait()
        self.tried += 1
        if self.at_begin:
            raise OSError("locked")
        yield
        raise OSError("full")

    def writer(self, run: Callable[[None, Sequence[int]], Sequence[int]]) -> GroupWriter[None, int, int]:
        begin: Callable[[], AbstractContextManager[None]] = self.transaction
        return GroupWriter("refusing", begin, run, most=100, closed=lambda: MoodwireError("closed"))


@pytest.mark.parametrize("at_begin", [True, False])
async def test_a_transaction_that_fails_as_a_whole_is_tried_once_and_all_hear_of_it(at_begin: bool) -> None:
    refusing = Refusing(at_begin=at_begin)
    writer = refusing.writer(lambda _, jobs: list(jobs))
    answers = [writer.put(number) for number in range(10)]
    refusing.release.set()
    results = await asyncio.gather(*answers, return_exceptions=True)
    await asyncio.to_thread(writer.close)
    assert all(isinstance(result, OSError) for result in results)
    assert refusing.tried <= 2, "the first job may have been taken alone"


async def test_a_group_ends_at_its_bound() -> None:
    groups: list[list[int]] = []
    held = threading.Event()

    @contextmanager
    def transaction() -> Iterator[None]:
        held.wait()
        yield

    def run(_: None, jobs: Sequence[int]) -> Sequence[int]:
        groups.append(list(jobs))
        return jobs

    writer = GroupWriter("bounded", transaction, run, most=5, weight=lambda job: job, closed=RuntimeError)
    answers = [writer.put(number) for number in (9, 2, 2, 2, 7, 1)]
    flushed = asyncio.ensure_future(writer.flush())
    await asyncio.sleep(0)
    held.set()
    assert await asyncio.gather(*answers) == [9, 2, 2, 2, 7, 1]
    await flushed
    await asyncio.to_thread(writer.close)
    assert groups == [[9], [2, 2, 2], [7], [1]]
