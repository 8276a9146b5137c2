"""A real Elasticsearch of one node for the tests: downloaded through Maven once, started on free ports.

    elastic-pom.xml ──mvn──► the server's files in the cache ──java──► GET /_cluster/health answers

Download: 0.95 GB, about 30 s the first time, of which 0.2 GB are kept. Start: about 12 s, 0.9 GB resident.
The server has no start script here, so the environment and the options that it would export are set by us; it
refuses to run as root, so root runs it as a user of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from filelock import FileLock

from tests.integration.ports import free_ports
from tests.system_needs import ELASTIC_JAVA, find_java, find_maven

__all__ = ["ElasticServer", "ElasticUnavailable", "running_elastic"]

POM = Path(__file__).with_name("elastic-pom.xml")
UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
LAUNCHER = "org.elasticsearch.server.launcher.ServerLauncher"
DOWNLOAD_SECONDS = 900
START_SECONDS = 180  # 12 s alone; two busy cores shared with other test runs need far more
STOP_SECONDS = 30
SERVER_USER = 61_234  # when we are root: no one's number, so that nothing but the server's own files is its
HEAP = "-Xms512m -Xmx512m"

CONFIGURATION = """\
cluster.name: moodwire-tests
discovery.type: single-node
network.host: 127.0.0.1
http.port: {port}
transport.port: {transport}
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
action.destructive_requires_name: false
path.data: {folder}/data
path.logs: {folder}/logs
path.repo: {folder}/snapshots
"""


class ElasticUnavailable(Exception):
    """No Elasticsearch can be brought up here; the text says what is missing or what the server said last."""


@dataclass(slots=True)
class ElasticServer:
    """A server that can be stopped, killed and started again on the same port with the same data.

    `url` is "http://127.0.0.1:port", `log` what it prints.
    """

    folder: Path
    home: Path
    java: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "elasticsearch.out"

    def start(self) -> None:
        """Returns when it answers; raises ElasticUnavailable."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(self.java), "-Xms4m", "-Xmx64m", "-cp", f"{self.home}/lib/tools/server-launcher/*", LAUNCHER],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.home,
                env=self._environment(), start_new_session=True, **_own_user(),
            )  # fmt: skip
        self._await_ready(self._process)

    def stop(self) -> None:
        """SIGTERM: the launcher stops the server with it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the launcher and the server at once: a crash, as the archive's clients see it."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, which)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOSTNAME": "localhost",
            "ES_HOME": str(self.home),
            "ES_PATH_CONF": f"{self.folder}/config",
            "ES_DISTRIBUTION_TYPE": "zip",
            "JAVA": str(self.java),
            "JAVA_TYPE": "ES_JAVA_HOME",
            "ES_JAVA_HOME": str(self.java.parents[1]),
            "ES_JAVA_OPTS": HEAP,
            "ES_TMPDIR": f"{self.folder}/tmp",
            "LIBFFI_TMPDIR": f"{self.folder}/tmp",
        }

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ElasticUnavailable(f"Elasticsearch ended with status {process.returncode}:\n{self._said()}")
            if self._answers():
                return
            time.sleep(0.1)
        self.kill()
        raise ElasticUnavailable(f"Elasticsearch was not ready in {START_SECONDS} s:\n{self._said()}")

    def _answers(self) -> bool:
        """The port opens before the server can take a document, the cluster is healthy when it can."""
        try:
            with urllib.request.urlopen(f"{self.url}/_cluster/health?wait_for_status=yellow", timeout=5):
                return True
        except OSError:  # also what urllib makes of an error's status
            return False

    def _said(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@contextlib.contextmanager
def running_elastic() -> Iterator[ElasticServer]:
    """A server with an empty data folder that stops at the end; raises ElasticUnavailable."""
    java = find_java(ELASTIC_JAVA)
    if java is None:
        raise ElasticUnavailable(f"no Java {ELASTIC_JAVA} or newer: see tests/system_needs.py")
    home = elastic_home()
    folder = Path(tempfile.mkdtemp(prefix="moodwire-elastic-"))  # not under pytest's folder, which is closed to others
    try:
        port = _configure(folder, home)
        server = ElasticServer(folder, home, Path(java).resolve(), port)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _own_user() -> _User:
    return _User(user=SERVER_USER, group=SERVER_USER, extra_groups=[]) if os.geteuid() == 0 else _User()


def elastic_home() -> Path:
    """The server's folder in the cache, filled on first use; raises ElasticUnavailable."""
    cache = _cache()
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    home = cache / f"elasticsearch-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "elasticsearch.lock"):
        if not home.is_dir():
            _download(home)
    _require_open(home)
    return home


def _require_open(home: Path) -> None:
    """Raises ElasticUnavailable where the user that the server runs as cannot come to its files."""
    closed = [folder for folder in (home, *home.parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if os.geteuid() == 0 and closed:
        raise ElasticUnavailable(
            f"root runs Elasticsearch as user {SERVER_USER}, which may not enter {closed[0]}: set XDG_CACHE_HOME to a "
            f"folder that all users may enter (now the server's files are in {home})"
        )


def _cache() -> Path:
    """The user's cache; root's own is closed to the user that the server runs as, so there it is the system's."""
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "moodwire-tests"
    return Path("/var/cache") / "moodwire-tests" if os.geteuid() == 0 else Path.home() / ".cache" / "moodwire-tests"


def _download(home: Path) -> None:
    """Downloads beside the target and renames, so that a cut-off download is never taken for a whole one."""
    maven = find_maven()
    if maven is None:
        raise ElasticUnavailable("no Maven (mvn) to download Elasticsearch with: see tests/system_needs.py")
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        done = subprocess.run(
            [maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM), UNPACK,
             f"-Dscratch={scratch}"],
            capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False,
        )  # fmt: skip
        found = list(Path(scratch, "unpacked").glob("*/elasticsearch"))
        if done.returncode != 0 or len(found) != 1:
            raise ElasticUnavailable(f"Maven could not download Elasticsearch:\n{(done.stdout + done.stderr)[-2000:]}")
        for path in (found[0], *found[0].rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)  # the server only reads it, whoever it runs as
        found[0].rename(home)


def _configure(folder: Path, home: Path) -> int:
    """Write the server's configuration; the port it will answer on."""
    port, transport = free_ports(2)
    shutil.copytree(home / "config", folder / "config")
    for name in ("data", "logs", "tmp", "snapshots"):
        (folder / name).mkdir()
    (folder / "config" / "elasticsearch.yml").write_text(
        CONFIGURATION.format(port=port, transport=transport, folder=folder)
    )
    options = folder / "config" / "jvm.options"
    kept = [line for line in options.read_text().splitlines() if "gc.log" not in line]  # would go into `home`
    options.write_text("\n".join(kept) + "\n")
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, SERVER_USER, SERVER_USER)
    return port
