"""The store under `kill -9` and with several processes appending at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from streams.engine.ports import Send
from streams.transport.sqlite.store import Store

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "tests.transport.publisher_program"


def publisher(path: Path, how_many: int, batch: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", PROGRAM, str(path), "t", str(how_many), str(batch)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def values(path: Path, partitions: int) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    with Store.open(path) as store:
        for p in range(partitions):
            records = store.read("t", p, 0, 1_000_000, 1 << 40)
            assert [r.offset for r in records] == list(range(store.end_offset("t", p)))
            found.update(r.value or b"" for r in records)
    return found


def test_what_was_acknowledged_before_kill_9_is_there_and_offsets_go_on(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    with Store.open(path) as store:
        store.create_topic("t", 3)
    acknowledged = 0
    for kill_after in (3, 11, 25):
        process = publisher(path, 100_000, 7)
        assert process.stdout is not None
        for _ in range(kill_after):
            acknowledged = int(process.stdout.readline())
        process.kill()
        acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        found = values(path, 3)
        assert set(found.values()) == {1}
        assert {b"%d" % n for n in range(acknowledged)} <= set(found)
    with Store.open(path) as store:
        assert int(store.progress("published") or 0) == sum(values(path, 3).values())


def test_processes_and_threads_append_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    with Store.open(path) as store:
        store.create_topic("t", 2)
        other = publisher(path, 600, 3)

        def append(name: int) -> None:
            for n in range(100):
                store.append([Send("t", None, b"%d/%d" % (name, n))])

        threads = [threading.Thread(target=append, args=(name,)) for name in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert other.wait() == 0
        assert other.stdout is not None
        other.stdout.close()
    found = values(path, 2)
    assert len(found) == sum(found.values()) == 800


def test_a_topic_that_another_is_making_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    with Store.open(path) as maker, Store.open(path) as reader:
        names = [f"t{number}" for number in range(200)]

        def make() -> None:
            for name in names:
                maker.create_topic(name, 3)

        making = threading.Thread(target=make)
        making.start()
        while making.is_alive():
            assert all(len(info.tp_ids) == info.partitions for info in reader.topics().values())
        making.join()
        assert set(reader.topics()) == set(names)
