"""Workers in processes of their own: starting, listening to, ending them, and counting what they left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from streams.transport.tables import Rows
from tests.transport.contract_broker import ContractBroker

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "tests.transport.worker_program"


class WorkerProcess:
    """One worker. `done` is what it has said: (partition, first offset, last offset) of each finished run."""

    def __init__(self, broker: ContractBroker, group: str, partitions: int, hold: Path | None = None) -> None:
        command = [
            sys.executable, "-m", PROGRAM, broker.url, str(broker.folder), broker.name(group), broker.name("in"),
            broker.name("out"), str(partitions), str(hold or broker.folder / "never"),
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self.done: list[tuple[int, int, int]] = []
        self.errors = ""
        self._spoke = threading.Condition()
        self._listeners = [threading.Thread(target=self._listen), threading.Thread(target=self._collect)]
        for listener in self._listeners:
            listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            _, partition, first, last = line.split()
            with self._spoke:
                self.done.append((int(partition), int(first), int(last)))
                self._spoke.notify_all()
        with self._spoke:
            self._spoke.notify_all()

    def _collect(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line

    def wait_for_runs(self, more: int, at_most_seconds: float = 40) -> None:
        """Until it has finished so many more runs."""
        with self._spoke:
            wanted = len(self.done) + more
            assert self._spoke.wait_for(lambda: len(self.done) >= wanted, at_most_seconds), self.errors[-4000:]

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals) -> None:
        """Sends the signal and waits for the end; SIGTERM must end it well."""
        self.tell(number)
        self.wait()
        if number is signal.SIGTERM:
            assert self.process.returncode == 0, self.errors[-4000:]

    def wait(self) -> None:
        self.process.wait(timeout=30)
        for listener in self._listeners:
            listener.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


def wait_until(condition: Callable[[], bool], at_most_seconds: float = 40) -> None:
    deadline = time.monotonic() + at_most_seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def counts(broker: ContractBroker, group: str, partitions: int) -> Counter[str]:
    """The rows that a restart would restore."""
    total: Counter[str] = Counter()
    for partition in range(partitions):
        rows = Rows()
        for record in broker.records(f"{group}-rows-changelog", partition):
            rows.take(record.key or b"", record.value, record.headers)
        for key, value in rows.values.items():
            if b"|n/" in key:
                total[key.split(b"|n/")[1].decode()] += json.loads(value)[1]
    return total


def times_done(workers: list[WorkerProcess]) -> Counter[tuple[int, int]]:
    """How often each (partition, offset) was in a run that a worker had finished."""
    times: Counter[tuple[int, int]] = Counter()
    for worker in workers:
        for partition, first, last in worker.done:
            times.update((partition, offset) for offset in range(first, last + 1))
    return times
