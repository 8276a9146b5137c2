"""A real Alertmanager on loopback, which posts what it notifies of to a receiver of ours."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.ports import free_port
from tests.system_needs import find_alertmanager, in_ci
from tests.webhook_receiver import WebhookReceiver

__all__ = ["Alertmanager", "running_alertmanager"]

_CONFIG = """
route: {{receiver: ours, group_by: [alertname, series], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: ours
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


@dataclass(frozen=True, slots=True)
class Alertmanager:
    url: str

    def alerts(self) -> list[dict[str, Any]]:
        """What fires there now."""
        found = httpx.get(f"{self.url}/api/v2/alerts", trust_env=False)
        return list(found.raise_for_status().json())


@contextmanager
def running_alertmanager(folder: Path, receiver: WebhookReceiver) -> Iterator[Alertmanager]:
    """Skips the test where no Alertmanager is installed; in the CI that is a failure."""
    program = find_alertmanager()
    if program is None:
        (pytest.fail if in_ci() else pytest.skip)("no Alertmanager here: apt-get install prometheus-alertmanager")
    config = folder / "alertmanager.yml"
    config.write_text(_CONFIG.format(url=receiver.url))
    address = f"127.0.0.1:{free_port()}"
    options = ("--cluster.listen-address=", f"--web.listen-address={address}", f"--storage.path={folder / 'data'}")
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen([program, f"--config.file={config}", *options], stdout=log, stderr=log)
    try:
        _await_ready(f"http://{address}", process, folder / "alertmanager.log")
        yield Alertmanager(f"http://{address}")
    finally:
        process.terminate()
        process.wait(30)


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/-/ready", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"Alertmanager did not start:\n{log.read_text()[-2000:]}")
