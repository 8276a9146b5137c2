"""A real Kafka broker of one node (KRaft) for the tests: downloaded through Maven once, started on free ports.

    kafka-pom.xml ──mvn──► jars in the user's cache ──format──► log folder ──java──► "Kafka Server started"

Jars: 43 MB, about 10 s the first time. Start: about 7 s, 0.4 GB resident.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.integration.ports import free_ports
from tests.system_needs import KAFKA_JAVA, find_java, find_maven

__all__ = ["KafkaServer", "KafkaUnavailable", "running_kafka"]

POM = Path(__file__).with_name("kafka-pom.xml")
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
DOWNLOAD_SECONDS = 600
START_SECONDS = 120  # 5 s alone; two busy cores shared with other test runs need far more
STOP_SECONDS = 30
READY = "Kafka Server started"
HEAP = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

LOGGING = """\
<Configuration><Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
num.partitions=1
auto.create.topics.enable=true
group.initial.rebalance.delay.ms=0
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=4194304
"""


class KafkaUnavailable(Exception):
    """No broker can be brought up here; the text says what is missing or what the broker said last."""


@dataclass(slots=True)
class KafkaServer:
    """A broker: `bootstrap` is "127.0.0.1:port", `log` what it prints. It may be killed and started again."""

    bootstrap: str
    log: Path
    command: list[str]
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As a machine that loses its power; what was acknowledged stays in its folder."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Starts it again with its folder and ports, once it has been killed; returns when it is ready."""
        self.process = _run(self.command, self.log)
        _await_ready(self.process, self.log)


@contextlib.contextmanager
def running_kafka(folder: Path, more: str = "", formatting: Sequence[str] = ()) -> Iterator[KafkaServer]:
    """A broker that keeps its data in `folder` and stops at the end; raises KafkaUnavailable.

    `more` are properties that go before ours; "{port}" in them is the broker's. `formatting` are further arguments
    of the tool that formats its storage.
    """
    java = find_java(KAFKA_JAVA)
    if java is None:
        raise KafkaUnavailable(f"no Java {KAFKA_JAVA} or newer: see tests/system_needs.py")
    jars = kafka_jars()
    properties, port = _write_configuration(folder, more)
    command = [java, *HEAP, f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}", "-cp", f"{jars}/*"]
    _format_storage(command, properties, formatting)
    log = folder / "kafka.log"
    command += ["kafka.Kafka", str(properties)]
    server = KafkaServer(f"127.0.0.1:{port}", log, command, _run(command, log))
    try:
        _await_ready(server.process, log)
        yield server
    finally:
        _stop(server.process)


def _run(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)


def kafka_jars() -> Path:
    """The folder of jars in the user's cache, filled on first use; raises KafkaUnavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moodwire-tests"
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    jars = cache / f"kafka-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "kafka.lock"):
        if not jars.is_dir():
            _download(jars)
    return jars


def _download(jars: Path) -> None:
    """Downloads beside the target and renames, so that a cut-off download is never taken for a whole one."""
    maven = find_maven()
    if maven is None:
        raise KafkaUnavailable("no Maven (mvn) to download Kafka with: see tests/system_needs.py")
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        done = subprocess.run(
            [maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM), COPY_JARS,
             "-DincludeScope=runtime", f"-DoutputDirectory={scratch}/jars"],
            capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise KafkaUnavailable(f"Maven could not download Kafka:\n{(done.stdout + done.stderr)[-2000:]}")
        shutil.move(f"{scratch}/jars", jars)


def _write_configuration(folder: Path, more: str) -> tuple[Path, int]:
    port, controller = free_ports(2)
    properties = folder / "server.properties"
    ours = PROPERTIES.format(port=port, controller=controller, logs=folder / "logs")
    if more:
        told = {line.partition("=")[0] for line in more.splitlines()}
        ours = "\n".join(line for line in ours.splitlines() if line.partition("=")[0] not in told)
    properties.write_text(f"{more.replace('{port}', str(port)).replace('{controller}', str(controller))}\n{ours}\n")
    (folder / "log4j2.xml").write_text(LOGGING)
    return properties, port


def _format_storage(command: list[str], properties: Path, more: Sequence[str]) -> None:
    arguments = ["format", "--ignore-formatted", "-t", str(uuid.uuid4()), "-c", str(properties), "--standalone", *more]
    done = subprocess.run(
        [*command, "kafka.tools.StorageTool", *arguments],
        capture_output=True, text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise KafkaUnavailable(f"Kafka could not format its storage:\n{(done.stdout + done.stderr)[-2000:]}")


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    """Watches the log: the port opens before the broker can answer, the line comes when it can."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        if READY in text:
            return
        if process.poll() is not None:
            raise KafkaUnavailable(f"Kafka ended with status {process.returncode}:\n{text[-2000:]}")
        time.sleep(0.1)
    raise KafkaUnavailable(f"Kafka was not ready in {START_SECONDS} s:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
