"""What `moodwire doctor` tries on this machine: the processor, folders and files. Nothing that it makes stays."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

from models import load_artifact, processor_report
from streams.alert_rules import alert_config
from streams.classifiers import answers_of, artifact_folders, registry_of
from streams.cli.doctor_checks import WARNING, Check
from streams.errors import SettingsError
from streams.existing import exists, known_namespaces
from streams.feeds.fieldspec import load_fieldmap
from streams.private_files import read_by_others
from streams.receivers.channels import check_routes
from streams.receivers.configured import receiver_names
from streams.receivers.labels import label_warnings
from streams.settings import Settings
from streams.settings.earlier import earlier_data
from streams.settings.file import find_settings_file
from streams.text.answers import check_answers
from streams.text.gazetteer import load_gazetteer
from streams.text.profile import load_profile
from streams.text.user_rules import load_rules
from streams.text.watchlists import load_watchlists

__all__ = ["FILE_CHECKS", "PROFILE_CHECK"]

_reading = threading.Lock()
_LEAST_FREE_BYTES = 100 << 20  # below, SQLite's logs soon fail
_LITTLE_FREE_BYTES = 1 << 30  # about a million items


def _one_at_a_time(ask: Callable[[Settings], str]) -> Callable[[Settings], str]:
    """For checks that read the same files: msgspec describes a type at its first use, and crashes if two threads do."""

    @wraps(ask)
    def asked(settings: Settings) -> str:
        with _reading:
            return ask(settings)

    return asked


@_one_at_a_time
def _processor(settings: Settings) -> str:
    folders = artifact_folders(load_profile(settings.profile))
    if not folders:
        return "the profile has no classifier"
    report = processor_report(load_artifact(next(iter(folders.values()))))
    if report["missing"]:
        raise SettingsError(report["missing"])
    return (
        f"{report['processor']}, {report['cores']} cores, {' '.join(report['instructions'])}; "
        f"onnxruntime {report['onnxruntime']}; {report['right_here']}"
    )


@_one_at_a_time
def _classifier(settings: Settings) -> str:
    profile = load_profile(settings.profile)
    artifacts = [load_artifact(folder) for folder in sorted(set(artifact_folders(profile).values()))]
    check_answers(profile, map(answers_of, artifacts))
    return ", ".join(f"{one.name} {one.version}" for one in artifacts) or "none: items are archived unscored"


@_one_at_a_time
def _profile(settings: Settings) -> str:
    profile = load_profile(settings.profile)
    config = alert_config(settings, profile)
    return f"{profile.name}, hop {config.hop_ms // 1000} s, lateness {config.lateness_ms // 1000} s"


@_one_at_a_time
def _rules(settings: Settings) -> str:
    if settings.rules is None:
        return "the profile's alone (MOODWIRE_RULES)"
    return f"{len(load_rules(settings.rules, load_profile(settings.profile)).rules)} in {settings.rules}"


@_one_at_a_time
def _routes(settings: Settings) -> str:
    names = ", ".join(receiver_names(settings)) or "nobody"
    check_routes(settings)
    by = f", by {settings.routes}" if settings.routes else ""
    warnings = label_warnings(settings)
    return f"to {names}{by}{WARNING if warnings else ''}{'; '.join(warnings)}"


def _watchlists(settings: Settings) -> str:
    if settings.watchlists is None:
        return "none (MOODWIRE_WATCHLISTS)"
    return f"{len(load_watchlists(settings.watchlists))} in {settings.watchlists}"


def _gazetteer(settings: Settings) -> str:
    if settings.gazetteer is None:
        return "the profile's alone"
    return f"{len(load_gazetteer(settings.gazetteer))} entities in {settings.gazetteer}, over the profile's"


def _field_map(settings: Settings) -> str:
    if settings.field_map is None:
        return "the default places of fields"
    load_fieldmap(settings.field_map)
    return str(settings.field_map)


def _data_folder(settings: Settings) -> str:
    home = settings.home
    with _stand_in(home) as folder, tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"moodwire")
        file.flush()
        os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise SettingsError(f"{home}: {free >> 20} MB are free on its disk")
    little = f"{WARNING}only {free >> 20} MB are free on its disk" if free < _LITTLE_FREE_BYTES else ""
    return f"{home}: can be written, {free / 2**30:.1f} GB are free{little}{_open_to_others(home)}"


def _open_to_others(home: Path) -> str:
    """Databases are made for their owner alone, and made so again when he opens them: these are of another owner."""
    found = [str(file) for name in ("broker.db", "archive.db") for file in read_by_others(home / name)]
    return f"{WARNING}others may read {', '.join(found)}: chmod 600" if found else ""


@contextmanager
def _stand_in(folder: Path) -> Iterator[Path]:
    """The folder, or a stand-in made beside its place under another name: a check that runs beside does not see it."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest == folder:
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=nearest, prefix=".moodwire-doctor-") as made:
        yield Path(made)


def _namespace(settings: Settings) -> str:
    if settings.on_kafka or exists(settings):
        return settings.namespace
    others = [name for name in known_namespaces(settings) if name != settings.namespace]
    warning = f"{WARNING}{', '.join(others)} exist in {settings.data_dir.absolute()}" if others else ""
    return f"{settings.namespace} does not exist yet, the first run makes it{warning}"


@_one_at_a_time
def _models(settings: Settings) -> str:
    added = [entry for entry in registry_of(settings).entries() if entry.where == "added"]
    names = ", ".join(f"{entry.name} {entry.version}" for entry in added)
    return f"{len(added)} added in {settings.models}{': ' if names else ''}{names}"


def _alerts_file(settings: Settings) -> str:
    path = settings.alerts_file
    if path is None:
        return "none (MOODWIRE_ALERTS_FILE)"
    path = path.absolute()
    if path.exists():
        with path.open("ab"):
            return f"{path}: can be written"
    with _stand_in(path.parent) as folder, tempfile.TemporaryFile(dir=folder):
        return f"{path}: can be made"


def _settings_file(settings: Settings) -> str:
    found = find_settings_file(os.environ)
    where = str(found) if found else "none (`moodwire config init` writes one)"
    earlier = earlier_data(settings)
    return f"{where}{WARNING}data in {earlier} are not used: set MOODWIRE_DATA_DIR to it" if earlier else where


PROFILE_CHECK = "profile"
FILE_CHECKS = (
    Check("settings file", _settings_file, "set MOODWIRE_DATA_DIR, or move the data to the data folder"),
    Check("data folder", _data_folder, "name a folder that this user may write: MOODWIRE_DATA_DIR, or free some space"),
    Check("namespace", _namespace, "-n NAME or MOODWIRE_NAMESPACE takes another"),
    Check(PROFILE_CHECK, _profile, "MOODWIRE_PROFILE is a shipped name or a folder with profile.yaml"),
    Check("processor", _processor, "take another processor, or set MOODWIRE_DEVICE=gpu where there is one"),
    Check(
        "classifier",
        _classifier,
        "correct profile.yaml; install moodwire again if a file of the model is missing or damaged",
    ),
    Check("models", _models, "add the version again: moodwire model add FOLDER"),
    Check("gazetteer", _gazetteer, "correct the file, or unset MOODWIRE_GAZETTEER"),
    Check("watchlists", _watchlists, "correct the file, or unset MOODWIRE_WATCHLISTS"),
    Check("rules", _rules, "correct the file (`moodwire rules check`), or unset MOODWIRE_RULES"),
    Check("routes", _routes, "correct the file (`moodwire routes check`), or unset MOODWIRE_ROUTES"),
    Check("field map", _field_map, "correct the file, or unset MOODWIRE_FIELD_MAP"),
    Check("alerts file", _alerts_file, "name a file that this user may write: MOODWIRE_ALERTS_FILE"),
)
