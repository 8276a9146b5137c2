"""What ends a stage on the embedded broker, and what does not: damaged files, upkeep that fails, topics that vanish."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streams.archive import closing_archive
from streams.archive.protocol import ArchiveDamaged
from streams.archive.schema import connect as connect_archive
from streams.archive.sqlite import SqliteArchive
from streams.engine.ports import Send
from streams.engine.runs import Run
from streams.errors import BrokerDamaged, TransportError
from streams.feeds.publisher import BrokerPublisher
from streams.transport import stages
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import make_app, run_stage
from streams.transport.outbox import FaustOutbox
from streams.transport.sqlite.client import EmbeddedBroker
from streams.transport.sqlite.store import Store
from streams.transport.sqlite.transport import Transport
from streams.transport.stages import run_stages
from streams.transport.tables import FaustState
from tests.transport.contract_broker import ContractBroker
from tests.transport.counting_stage import CountingStage
from tests.transport.test_contract_stages import Worker, until


@pytest.fixture
def topics(tmp_path: Path) -> Iterator[ContractBroker]:
    url = f"sqlite://{tmp_path.resolve()}/broker.db"
    with open_broker(url) as opened:
        broker = ContractBroker(url, tmp_path, opened, prefix="")
        broker.create(TopicSpec("in", 3), TopicSpec("out", 1))
        yield broker


async def test_upkeep_that_fails_goes_on_and_the_stages_stop_well(
    topics: ContractBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns = []

    def tidy(self: Transport, now_ms: int) -> None:
        turns.append(now_ms)
        raise TypeError("cannot unpack non-iterable NoneType object")

    monkeypatch.setattr(stages, "_UPKEEP_SECONDS", 0.01)
    monkeypatch.setattr(Transport, "tidy", tidy)
    topics.publish([Send("in", b"k", b"1")])
    worker = Worker(topics)
    async with worker.running():
        await worker.drained()
        await until(lambda: len(turns) > 2)
    assert not worker.app.transport._lock, "it stopped well: another worker may begin"
    assert "Upkeep of the broker failed" in caplog.text


async def test_upkeep_that_goes_on_failing_is_logged_once_an_episode(
    topics: ContractBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[int] = []

    def tidy(self: Transport, now_ms: int) -> None:
        turns.append(now_ms)
        if len(turns) != 3:
            raise TransportError("no space left")

    monkeypatch.setattr(stages, "_UPKEEP_SECONDS", 0.01)
    monkeypatch.setattr(Transport, "tidy", tidy)
    worker = Worker(topics)
    async with worker.running():
        await until(lambda: len(turns) > 6)
    assert caplog.text.count("Upkeep of the broker failed") == 2


def test_upkeep_beside_topics_that_come_and_go(tmp_path: Path) -> None:
    store, other = (Store.open(tmp_path / "broker.db") for _ in range(2))
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            for n in range(4):
                other.create_topic(f"compacted{n}", 4, compacted=True)
                other.create_topic(f"aged{n}", 4, retention_ms=1)
            for n in range(4):
                other.delete_topic(f"compacted{n}")
                other.delete_topic(f"aged{n}")

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        for turn in range(150):
            store.enforce_retention(2_000_000_000_000 + turn)
            store.compact(2_000_000_000_000 + turn, force=True)
    finally:
        over.set()
        churning.join()
        store.close()
        other.close()


async def test_a_damaged_archive_ends_the_stage_with_the_file_and_the_way_out(topics: ContractBroker) -> None:
    """It was tried again for ever; now the run is left for the next start, and nothing is committed past it."""
    worker = Worker(topics)
    tries = []

    async def fail(run: Run) -> None:
        tries.append(run)
        raise ArchiveDamaged("archive /x/archive.db is damaged: restore it")

    worker.stage.before_effect = fail
    topics.publish([Send("in", b"k", b"1", 0)])
    with pytest.raises(
        TransportError, match=r"Stage test\.count failed: archive /x/archive\.db is damaged: restore it"
    ):
        async with asyncio.timeout(30):
            await run_stages([worker.job])
    assert len(tries) == 1
    assert topics.lag("test.count", "in") == 1


async def test_a_damaged_broker_ends_the_stage(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    with Store.open(path) as store:
        store.create_topic("in", 1)
        for _ in range(20):
            store.append([Send("in", None, bytes(900)) for _ in range(200)])
    overwrite_the_middle(path)
    app = make_app("s", broker_url=f"sqlite://{path}", group="s", data_dir=tmp_path)
    job = run_stage(app, "in", CountingStage(FaustState(app, "rows", partitions=1), FaustOutbox(app)))
    with pytest.raises(TransportError, match=r"broker\.db is damaged .*restore it from a backup"):
        async with asyncio.timeout(60):
            await run_stages([job])


def overwrite_the_middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\xaa" * (size // 3))


async def test_a_damaged_archive_names_the_file_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    await SqliteArchive(path).close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * (path.stat().st_size - 4096))
    with pytest.raises(ArchiveDamaged, match=r"archive\.db is damaged.*restore it.*archive rebuild"):
        async with closing_archive(SqliteArchive(path)) as archive:
            await archive.stats()


def replace(path: Path, how: str) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    if how == "replaced":
        with Store.open(path) if path.name == "broker.db" else closing(connect_archive(path)):
            pass


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_broker_whose_file_is_gone_ends_the_stage(topics: ContractBroker, how: str) -> None:
    """All went on well, into a file without a name."""
    worker = Worker(topics)
    topics.publish([Send("in", b"k", b"1", 0)])
    running = asyncio.create_task(run_stages([worker.job]))
    await worker.drained()
    replace(Path(topics.url.partition("://")[2]), how)
    with pytest.raises(TransportError, match=rf"broker\.db was {how} .*moodwire restore.*archive rebuild-state"):
        async with asyncio.timeout(60):
            await running


async def test_what_is_checked_beside_the_stages_ends_them(topics: ContractBroker) -> None:
    worker, path = Worker(topics), topics.folder / "archive.db"
    archive = SqliteArchive(path)
    running = asyncio.create_task(run_stages([worker.job], check=archive.check))
    await until(lambda: bool(worker.app.consumer and worker.app.consumer.assignment()))
    replace(path, "removed")
    with pytest.raises(TransportError, match=r"archive\.db was removed .*archive rebuild"):
        async with asyncio.timeout(60):
            await running
    await archive.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_broker_whose_file_is_gone_takes_and_gives_nothing(tmp_path: Path, how: str) -> None:
    path = tmp_path / "broker.db"
    with Store.open(path) as store:
        store.create_topic("t", 1)
        replace(path, how)
        for use in (
            lambda: store.append([Send("t", None, b"1")]),
            lambda: store.read("t", 0, 0, 1),
            store.changes,
            lambda: store.compact(1),
        ):
            with pytest.raises(BrokerDamaged, match=f"was {how}"):
                use()
    assert path.exists() is (how == "replaced"), "nothing makes it anew"


def test_what_was_written_while_the_broker_went_is_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    with Store.open(path) as store:
        store.create_topic("t", 1)
        with pytest.raises(BrokerDamaged, match="was removed"), store.writing():
            path.unlink()


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_an_archive_whose_file_is_gone_takes_and_gives_nothing(tmp_path: Path, how: str) -> None:
    path = tmp_path / "archive.db"
    archive = SqliteArchive(path)
    assert await archive.is_new()
    replace(path, how)
    try:
        for use in (archive.stats, lambda: archive.write_items([]), lambda: archive.write_alerts([])):
            with pytest.raises(ArchiveDamaged, match=rf"archive\.db was {how}.*archive rebuild"):
                await use()
    finally:
        await archive.close()


def test_a_file_that_is_no_archive_says_so(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(ArchiveDamaged, match="move it away"):
        SqliteArchive(path)


def test_a_broker_that_is_none_is_damage_too(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(BrokerDamaged, match="move it away"):
        Store.open(path)


def test_threads_share_a_publisher(tmp_path: Path) -> None:
    """Every record lands once, and each thread's in the order that it sent them."""
    store = Store.open(tmp_path / "broker.db")
    store.create_topic("t", 3)
    publisher = BrokerPublisher(EmbeddedBroker.of(store))

    def publish(thread: int) -> None:
        for n in range(40):
            publisher.publish([Send("t", None, b"%d %d" % (thread, n), n % 3)], {f"thread {thread}": str(n)})

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for partition in range(3):
        records = store.read("t", partition, 0, 1_000)
        assert [record.offset for record in records] == list(range(len(records)))
        for number in range(6):
            mine = [int(value[1]) for r in records if (value := (r.value or b"").split())[0] == b"%d" % number]
            assert mine == list(range(partition, 40, 3))
    assert [publisher.progress(f"thread {number}") for number in range(6)] == ["39"] * 6
    publisher.close()
