"""TLS and SASL on a real broker: all three clients get in with them, and a wrong password is told without it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.errors import MoodwireError
from streams.feeds.publisher import open_publisher
from streams.settings import Settings
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import make_app, run_stage
from streams.transport.kafka.options import KafkaOptions
from streams.transport.outbox import FaustOutbox
from streams.transport.stages import run_stages
from streams.transport.tables import FaustState
from tests.integration.kafka_server import KafkaUnavailable, running_kafka
from tests.system_needs import in_ci
from tests.transport.counting_stage import CountingStage
from tests.transport.test_contract_stages import numbered, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PASSWORD = "hunter2-of-the-test"
SECURED = """\
listeners=SECURE://localhost:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SECURE://localhost:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SECURE
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
ssl.keystore.type=PEM
ssl.keystore.location=FOLDER/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=FOLDER/certificate.pem
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="PASSWORD" user_broker="PASSWORD" user_worker="PASSWORD";
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings for a broker that takes TLS and a password alone."""
    folder = tmp_path_factory.mktemp("secured")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "broker.pem").write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    try:
        with running_kafka(folder, SECURED.replace("FOLDER", str(folder)).replace("PASSWORD", PASSWORD)) as server:
            yield Settings(
                broker_url=f"kafka://localhost:{server.bootstrap.rpartition(':')[2]}",
                kafka_ca=folder / "certificate.pem",
                kafka_mechanism="PLAIN",
                kafka_user="worker",
                kafka_password=PASSWORD,
            )
    except KafkaUnavailable as reason:
        if in_ci():
            pytest.fail(f"no Kafka, and CI=true: {reason}")
        pytest.skip(f"NO KAFKA, its tests are skipped: {reason}")


async def test_publisher_worker_and_commands_get_in(
    secured: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "streams")
    with open_broker(secured.broker, secured.kafka) as broker:
        broker.ensure_topics([TopicSpec("in", 3), TopicSpec("out", 1)])
        publisher = open_publisher(secured.broker, progress_topic="progress", kafka=secured.kafka)
        await asyncio.to_thread(publisher.publish, numbered(200), {"file": "200"})
        publisher.close()
        app = make_app("count", broker_url=secured.broker, group="count", data_dir=tmp_path, kafka=secured.kafka)
        stage = CountingStage(FaustState(app, "rows", partitions=3), FaustOutbox(app), "out")
        stop = asyncio.Event()
        running = asyncio.create_task(run_stages([run_stage(app, "in", stage)], until=stop))
        await until(lambda: broker.lag("count", "in") == 0)
        stop.set()
        await running
        assert len(list(broker.scan("out"))) == 200
    assert PASSWORD not in caplog.text


def test_a_wrong_password_is_told_and_not_shown(secured: Settings) -> None:
    wrong = secured.changed(kafka_password=Settings(kafka_password="wrong-one").kafka_password)
    options = KafkaOptions(wrong.kafka.security, timeout_seconds=3)
    with open_broker(secured.broker, options) as broker, pytest.raises(MoodwireError) as refused:
        broker.topic("in")
    assert "MOODWIRE_KAFKA_CA, _TLS, _MECHANISM, _USER and _PASSWORD" in str(refused.value)
    assert "wrong-one" not in str(refused.value)
