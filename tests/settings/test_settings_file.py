"""moodwire.yaml: where it is found, what wins over it, and what is said of each mistake in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.settings import Settings, load_settings
from streams.settings.documents import commented_file
from streams.settings.file import read_settings_file, searched
from streams.settings.loading import Source, WrongSettings, read_settings, with_file
from streams.settings.places import SECTIONS, place_of, variable_of

SECRET = "whsec_c2VjcmV0c2VjcmV0"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and settings folders that nothing else uses."""
    for name in [name for name in os.environ if name.startswith("MOODWIRE_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "moodwire.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


def problems(folder: Path, text: str, mode: int = 0o600) -> list[str]:
    """What is wrong with the file in the working folder, each without the file's name."""
    file = written(folder, text, mode)
    with pytest.raises(WrongSettings) as wrong:
        load_settings()
    return [problem.replace(str(file), "FILE") for problem in wrong.value.problems]


def test_every_setting_has_one_place_in_a_known_section() -> None:
    places = [place_of(field) for field in Settings.model_fields.values()]
    assert len(set(places)) == len(places)
    assert {place.partition(".")[0] for place in places} == set(SECTIONS)


def test_the_working_folder_wins_over_the_user_s_folder_and_a_named_file_over_both(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, user, system = searched()
    assert (here, str(system)) == (folder / "moodwire.yaml", "/etc/moodwire/moodwire.yaml")
    written(user.parent, "data: {namespace: user}")
    assert load_settings().namespace == "user"
    written(folder, "data: {namespace: here}")
    assert load_settings().namespace == "here"
    monkeypatch.setenv("MOODWIRE_CONFIG", str(written(tmp_path / "named", "data: {namespace: named}")))
    assert load_settings().namespace == "named"
    monkeypatch.setenv("MOODWIRE_CONFIG", "absent.yaml")
    with pytest.raises(SettingsError, match=r"absent\.yaml does not exist .*config init"):
        load_settings()


def test_an_option_wins_over_the_environment_and_that_over_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(folder, "data:\n  namespace: file\nruns:\n  records: 7\nhttp:\n  port: 0\n")
    monkeypatch.setenv("MOODWIRE_RUN_RECORDS", "8")
    monkeypatch.setenv("MOODWIRE_HTTP_PORT", "")
    loaded = read_settings(namespace="option")
    assert (loaded.settings.namespace, loaded.settings.run_records, loaded.settings.http_port) == ("option", 8, 0)
    origins = {name: (origin.source, origin.where) for name, origin in loaded.origins.items()}
    assert origins["namespace"] == (Source.OPTION, "")
    assert origins["run_records"] == (Source.ENVIRONMENT, "MOODWIRE_RUN_RECORDS")
    assert origins["http_port"] == (Source.FILE, f"{file}:6")
    assert origins["run_bytes"] == (Source.DEFAULT, "")


def test_settings_made_directly_read_no_file(folder: Path) -> None:
    written(folder, "data: {namespace: file}")
    assert Settings().namespace == "live"


def test_relative_paths_start_from_the_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "data: {dir: data}\nalerts: {watchlists: lists/mine.yaml}\nscoring: {profile: ./own, models_dir: ~/models}\n"
        "feeds: {file: /abs/feeds.yaml}\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MOODWIRE_CONFIG", str(written(tmp_path / "conf", text)))
    settings = load_settings()
    assert settings.data_dir == tmp_path / "conf" / "data"
    assert settings.watchlists == tmp_path / "conf" / "lists" / "mine.yaml"
    assert Path(settings.profile) == tmp_path / "conf" / "own"
    assert settings.models_dir == tmp_path / "models"
    assert settings.feeds == Path("/abs/feeds.yaml")
    monkeypatch.setenv("MOODWIRE_CONFIG", str(written(tmp_path / "plain", "scoring: {profile: finance}")))
    assert load_settings().profile == "finance"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("broker:\n  urls: x\n", "FILE:2: unknown setting `broker.urls`: did you mean `broker.url`?"),
        ("brokers:\n  url: x\n", "FILE:1: unknown section `brokers`: did you mean `broker`?"),
        ("broker_url: x\n", "FILE:1: unknown section `broker_url`: write `broker.url`"),
        ("broker:\n  MOODWIRE_PROXY: x\n", "FILE:2: unknown setting `broker.MOODWIRE_PROXY`: write `network.proxy`"),
        ("archive:\n  level: INFO\n", "FILE:2: unknown setting `archive.level`: did you mean `logs.level`?"),
        ("broker: kafka://a\n", "FILE:1: `broker` is a section: write its settings on lines of their own below it"),
        ("http:\n  port: 1\n  port: 2\n", "FILE:3: http.port: is already on line 2; keep one of them"),
        ("broker:\n  partitions: many\n", "FILE:2: broker.partitions='many': take a whole number from 1 to 1024"),
        ("broker:\n  partitions: 2000\n", "FILE:2: broker.partitions=2000: take a whole number from 1 to 1024"),
        ("broker:\n  partitions: yes\n", "FILE:2: broker.partitions='True': take a whole number from 1 to 1024"),
        ("archive:\n  user: 1234\n", "FILE:2: archive.user=1234: take a text, in quotes"),
        ("archive:\n  password: 1234\n", "FILE:2: archive.password=(not shown): take a text"),
        ("scoring:\n  device: tpu\n", "FILE:2: scoring.device='tpu': take cpu or gpu"),
        ("logs:\n  level: LOUD\n", "FILE:2: logs.level='LOUD': take DEBUG, INFO, WARNING or ERROR"),
        ("http:\n  port: [1, 2]\n", "FILE:2: http.port=[1, 2]: take a whole number from 0 to 65,535"),
        ("data:\n  namespace: Not Good\n", "FILE:2: data.namespace='Not Good': namespace 'Not Good'"),
        ("alerts:\n  watchlists: ~no-such-user/w.yaml\n", "FILE:2: `alerts.watchlists` cannot be read: Could not"),
        ("logs:\n  level: !!python/name:os.system x\n", "FILE:2: `logs.level` cannot be read: could not determine"),
        ("kafka:\n  user: ann\n", "FILE:2: kafka.user: only for Kafka"),
        ("network:\n  allowed_networks: intranet\n", "FILE:2: network.allowed_networks: 'intranet'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_its_key_and_the_fix(folder: Path, text: str, problem: str) -> None:
    (found,) = problems(folder, text)
    assert problem in found


def test_all_mistakes_are_named_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_PARTITION", "4")
    found = problems(folder, "data:\n  namespace: B B\nhttp: {port: -1, pot: 2}\nlogs: {format: xml}\n")
    assert [problem.split(": ")[0] for problem in found if problem.startswith("FILE")] == [
        "FILE:3",
        "FILE:2",
        "FILE:3",
        "FILE:4",
    ]
    assert any("MOODWIRE_PARTITION: did you mean MOODWIRE_PARTITIONS?" in problem for problem in found)


@pytest.mark.parametrize("text", ["broker: [", "- a\n- b\n", "\tbroker: x", "just words"])
def test_what_is_no_settings_file_is_named_with_its_line(folder: Path, text: str) -> None:
    file = written(folder, text)
    with pytest.raises(SettingsError, match=rf"{file}:\d"):
        load_settings()


@pytest.mark.parametrize("text", ["", "# nothing\n", "broker:\nkafka:\n", 'broker: {url: "", prefix: }\n'])
def test_what_is_left_empty_is_not_set(folder: Path, text: str) -> None:
    written(folder, text)
    loaded = read_settings()
    assert loaded.settings.model_fields_set == set()


def test_lists_are_taken_where_words_go_by_comma(folder: Path) -> None:
    written(folder, "network:\n  allowed_networks: [10.0.0.0/8, 'fd00::/8']\n")
    assert load_settings().allowed_networks == "10.0.0.0/8,fd00::/8"


@pytest.mark.parametrize(
    "text", [f"delivery:\n  webhook_secret: {SECRET}\n", "archive:\n  url: https://ann:hush@es:9200\n"]
)
def test_a_secret_that_everyone_may_read_is_refused(folder: Path, text: str) -> None:
    (found,) = problems(folder, text, 0o644)
    assert found.startswith("FILE:2: ")
    assert "chmod o-rw FILE" in found
    assert SECRET not in found
    assert "hush" not in found
    for mode in (0o600, 0o640):
        written(folder, text, mode)
        load_settings()
    written(folder, "http: {port: 0}", 0o644)
    assert load_settings().http_port == 0


def test_a_secret_of_the_file_is_masked_as_one_of_the_environment(folder: Path) -> None:
    from streams.observe.logs import mask, secrets_of

    written(folder, f"delivery:\n  webhook_secret: {SECRET}\nlogs: {{level: debug}}\n")
    variables = with_file({"MOODWIRE_LOG_FORMAT": "json", "MOODWIRE_LOG_LEVEL": ""})
    assert variables["MOODWIRE_LOG_LEVEL"] == "debug"
    assert mask(secrets_of(variables))(f"posted with {SECRET}") == "posted with ***"
    written(folder, "logs: [")
    assert with_file({"MOODWIRE_LOG_FORMAT": "json"}) == {"MOODWIRE_LOG_FORMAT": "json"}


def test_the_commented_file_has_every_setting_at_its_default(folder: Path) -> None:
    text = commented_file()
    file = written(folder, text)
    assert read_settings().settings == Settings()
    assert read_settings_file(file, Settings.model_fields).lines == {}
    file = written(folder, re.sub(r"^  #(?=[a-z])", "  ", text, flags=re.MULTILINE))
    read = read_settings()
    assert read.settings == Settings()
    set_at_none = {name for name, field in Settings.model_fields.items() if field.default in {None, ""}}
    assert set(read_settings_file(file, Settings.model_fields).lines) == set(Settings.model_fields) - set_at_none


def test_data_lie_in_the_user_s_data_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().home == tmp_path / "XDG_DATA_HOME" / "moodwire" / "live"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "ann"))
    assert Settings().data_dir == tmp_path / "ann" / ".local" / "share" / "moodwire"
    monkeypatch.setenv("MOODWIRE_DATA_DIR", "mine")
    assert load_settings().home == folder / "mine" / "live"


def test_without_a_home_a_folder_for_the_data_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as a user which nothing describes."""
    monkeypatch.setattr(os.path, "expanduser", str)
    monkeypatch.delenv("XDG_DATA_HOME")
    with pytest.raises(WrongSettings, match="MOODWIRE_DATA_DIR: this user has no home folder"):
        load_settings()
    monkeypatch.setenv("MOODWIRE_DATA_DIR", "/var/lib/moodwire")
    assert load_settings().home == Path("/var/lib/moodwire/live")


def test_every_mistake_is_named_at_once_each_with_its_line(folder: Path) -> None:
    """Those of one value, of values that are checked after all are read, and of forms that YAML reads otherwise."""
    text = (
        "broker.partitions: 3\n"
        "<<: {a: 1}\n"
        "data:\n  namespace: 2024-01-01\n"
        "broker:\n  retention_hours: .inf\n  partitions: 010\n"
        "archive:\n  url: localhost:9200\n"
        "alerts:\n  late_after_hours: .nan\n"
        "http:\n  port: 1:30\n"
        "network:\n  proxy: nonsense\n  allowed_networks: 10.0.0.0/40\n"
    )
    found = problems(folder, text)
    starts = [
        "FILE:1: unknown section `broker.partitions`: write `partitions` on a line of its own below `broker:`",
        "FILE:2: `<<` is not read here",
        "FILE:4: data.namespace=2024-01-01: take a text, in quotes",
        "FILE:6: broker.retention_hours=inf: take a number above 0 to 876,600",
        "FILE:7: broker.partitions: 010 may be read as another number",
        "FILE:9: archive.url='localhost:9200': take sqlite:///absolute/path/archive.db, or https://host:port",
        "FILE:11: alerts.late_after_hours=nan: take a number above 0 to 876,600",
        "FILE:13: http.port: 1:30 may be read as another number",
        "FILE:15: network.proxy must look like http://host:port",
        "FILE:16: network.allowed_networks: '10.0.0.0/40' does not appear to be",
    ]
    unnamed = [start for start in starts if not any(problem.startswith(start) for problem in found)]
    assert not unnamed, found
    assert len(found) == len(starts)


def _floats() -> list[str]:
    return [name for name, field in Settings.model_fields.items() if field.annotation in (float, float | None)]


@pytest.mark.parametrize("name", _floats())
@pytest.mark.parametrize("value", ["inf", "nan", "1e300"])
def test_a_number_is_finite_and_within_what_times_can_hold(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable_of(name), value)
    with pytest.raises(WrongSettings, match=f"{variable_of(name)}="):
        load_settings()


@pytest.mark.parametrize("name", ["data_dir", "feeds", "alerts_file", "kafka_ca"])
def test_a_path_from_the_environment_may_begin_with_the_home_folder(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of variables are read by no shell."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv(variable_of(name), "~/there")
    assert getattr(Settings(), name) == folder / "there"
    monkeypatch.setenv(variable_of(name), "~no_such_user/there")
    with pytest.raises(WrongSettings, match="there is no such home folder: write the whole path"):
        load_settings()
