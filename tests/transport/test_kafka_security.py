"""TLS, SASL, client certificates and ACLs on a real broker.

All three clients get in by each way, a wrong password is told without it, and `doctor` names what a user may not do.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streams.engine.ports import Send
from streams.errors import MoodwireError
from streams.feeds.publisher import open_publisher
from streams.settings import Settings
from streams.transport.broker import TopicSpec, open_broker
from streams.transport.faust_app import make_app, run_stage
from streams.transport.kafka.checks import check_permissions
from streams.transport.kafka.cluster import Cluster
from streams.transport.kafka.options import KafkaOptions, bootstrap_of
from streams.transport.outbox import FaustOutbox
from streams.transport.stages import run_stages
from streams.transport.tables import FaustState
from tests.integration.ports import free_ports
from tests.integration.required import required_kafka
from tests.transport.counting_stage import CountingStage
from tests.transport.test_contract_stages import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PASSWORD = "hunter2-of-the-test"
SECURED = """\
listeners=SECURE://localhost:{port},MUTUAL://localhost:CERTIFIED,CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SECURE://localhost:{port},MUTUAL://localhost:CERTIFIED,CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=SECURE:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SECURE
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.mutual.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=FOLDER/localhost.pem
ssl.truststore.type=PEM
ssl.truststore.location=FOLDER/trusted.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:broker;User:worker;User:CN=worker
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="PASSWORD" user_broker="PASSWORD" user_worker="PASSWORD" user_stranger="PASSWORD";
"""
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
WAYS = (*MECHANISMS, "certificate")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Settings]]:
    """Settings for each way into a broker that takes nobody without TLS and who they are."""
    folder = tmp_path_factory.mktemp("secured")
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make certificates")
    for name in ("localhost", "worker"):
        _make_certificate(openssl, folder, name)
    (folder / "trusted.pem").write_text(
        "".join((folder / f"{name}.crt").read_text() for name in ("localhost", "worker"))
    )
    (certified,) = free_ports(1)
    properties = SECURED.replace("FOLDER", str(folder)).replace("CERTIFIED", str(certified))
    scrams = [f"{mechanism}=[name=worker,password={PASSWORD}]" for mechanism in MECHANISMS[1:]]
    formatting = [word for scram in scrams for word in ("--add-scram", scram)]
    with required_kafka(folder, properties.replace("PASSWORD", PASSWORD), formatting) as server:
        port = server.bootstrap.rpartition(":")[2]
        yield _settings(folder, port, str(certified))


def _make_certificate(openssl: str, folder: Path, name: str) -> None:
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / f"{name}.pem").write_text(key.read_text() + certificate.read_text())


def _settings(folder: Path, port: str, certified: str) -> dict[str, Settings]:
    authority = folder / "localhost.crt"
    ways = {
        mechanism: Settings(
            broker_url=f"kafka://localhost:{port}",
            kafka_ca=authority,
            kafka_mechanism=mechanism,
            kafka_user="worker",
            kafka_password=PASSWORD,
        )
        for mechanism in MECHANISMS
    }
    ways["certificate"] = Settings(
        broker_url=f"kafka://localhost:{certified}",
        kafka_ca=authority,
        kafka_certificate=folder / "worker.crt",
        kafka_key=folder / "worker.key",
    )
    return ways


@pytest.mark.parametrize("way", WAYS)
async def test_publisher_worker_and_commands_get_in(
    secured: dict[str, Settings], way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "streams")
    settings, source, target, group = secured[way], f"{way}-in", f"{way}-out", f"{way}-count"
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics([TopicSpec(source, 3), TopicSpec(target, 1)])
        publisher = open_publisher(settings.broker, progress_topic=f"{way}-progress", kafka=settings.kafka)
        sends = [Send(source, b"key%d" % (n % 7), b"%d" % n) for n in range(200)]
        await asyncio.to_thread(publisher.publish, sends, {"file": "200"})
        publisher.close()
        app = make_app("count", broker_url=settings.broker, group=group, data_dir=tmp_path, kafka=settings.kafka)
        stage = CountingStage(FaustState(app, f"{way}-rows", partitions=3), FaustOutbox(app), target)
        stop = asyncio.Event()
        running = asyncio.create_task(run_stages([run_stage(app, source, stage)], until=stop))
        await until(lambda: broker.lag(group, source) == 0)
        stop.set()
        await running
        assert len(list(broker.scan(target))) == 200
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_told_and_not_shown(secured: dict[str, Settings], mechanism: str) -> None:
    settings = secured[mechanism]
    wrong = settings.changed(kafka_password=Settings(kafka_password="wrong-one").kafka_password)
    options = KafkaOptions(wrong.kafka.security, timeout_seconds=3)
    with open_broker(settings.broker, options) as broker, pytest.raises(MoodwireError) as refused:
        broker.topic("in")
    assert "MOODWIRE_KAFKA_CA, _TLS, _MECHANISM, _USER and _PASSWORD" in str(refused.value)
    assert "wrong-one" not in str(refused.value)


def test_who_shows_no_certificate_stays_outside(secured: dict[str, Settings]) -> None:
    settings = secured["certificate"].changed(kafka_certificate=None, kafka_key=None)
    options = KafkaOptions(settings.kafka.security, timeout_seconds=3)
    with open_broker(settings.broker, options) as broker, pytest.raises(MoodwireError):
        broker.topic("in")


def test_what_a_user_may_not_do_is_named(secured: dict[str, Settings]) -> None:
    settings = secured["PLAIN"]
    wanted = [TopicSpec("guarded", 1)]
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(wanted)
        with closing(_cluster(settings)) as cluster:
            assert check_permissions(cluster, wanted)
    stranger = settings.changed(kafka_user="stranger")
    with closing(_cluster(stranger)) as cluster, pytest.raises(MoodwireError, match="guarded") as refused:
        check_permissions(cluster, wanted)
    assert "may not" in str(refused.value)


def _cluster(settings: Settings) -> Cluster:
    return Cluster(bootstrap_of(settings.broker), settings.kafka)
