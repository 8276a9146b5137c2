"""The models of this machine: those of the package, those beside a profile, and a folder of versions that were added.

    FOLDER/NAME/VERSION/        an artifact, checked when it came and again whenever it is loaded
    FOLDER/NAME/VERSION.json    what the gate said of it

A version never changes: what scored an item last year can be asked again today, and a promotion can be taken back.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.artifact import MANIFEST, Artifact, load_artifact, open_artifact, shipped, shipped_names
from models.errors import ArtifactError
from models.manifest import is_plain_name, read_plain

__all__ = ["Entry", "Registry"]

METRICS = "metrics.json"
_LARGEST_METRICS_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A known version: where it lies, and its accuracy by head as far as its metrics have it."""

    name: str
    version: str
    language: str
    precision: str
    where: Literal["shipped", "profile", "added"]
    path: Path
    sha256: str
    accuracy: Mapping[str, float]


class Registry:
    """The shipped models, those in the folders `beside` a profile, and those in `folder`.

    `folder` is made when the first model is added.
    """

    def __init__(self, folder: Path, beside: Iterable[Path] = ()) -> None:
        self.folder = folder
        self._beside = tuple(path for path in beside if path.name not in shipped_names() or path != shipped(path.name))

    def add(self, path: Path) -> Entry:
        """Copies the artifact in the folder `path`; adding the same again changes nothing.

        Raises `ArtifactError` when it is not whole, when it holds anything but plain files, or when that version is
        there with other content.
        """
        _check_plain(path)
        artifact = load_artifact(path)
        known = self._path_of(artifact.name, artifact.version)
        if known is None:
            self._copy(path, self._home(artifact.name, artifact.version))
        elif load_artifact(known).sha256 != artifact.sha256:
            raise ArtifactError(
                f"{artifact.name} {artifact.version} is known with other content ({known}), and a version never "
                "changes: export the model with a new version"
            )
        return _entry(open_artifact(self.find(artifact.name, artifact.version)), self._where(artifact))

    def find(self, name: str, version: str = "") -> Path:
        """Returns the folder of a version; without one given the one beside the profile, or the shipped one.

        Raises `ArtifactError` naming what is known.
        """
        path = self._path_of(name, version) if version else self._beside_of(name) or shipped(name)
        if path is None:
            known = ", ".join(f"{entry.name} {entry.version}" for entry in self.entries()) or "none"
            raise ArtifactError(
                f"there is no model {name} {version}; known: {known}. `moodwire model add FOLDER` takes one in"
            )
        return path

    def load(self, name: str, version: str = "") -> Artifact:
        """Returns the artifact that `find` finds, checked; raises `ArtifactError` when it is not whole."""
        return load_artifact(self.find(name, version))

    def entries(self) -> list[Entry]:
        """Returns every known version, by name and version; raises `ArtifactError` for one that was altered."""
        found = [_entry(load_artifact(path), "shipped") for path in map(shipped, shipped_names())]
        found += [_entry(load_artifact(path), "profile") for path in self._beside]
        found += [_entry(load_artifact(path), "added") for path in self._added()]
        return sorted(found, key=lambda entry: (entry.name, entry.version))

    def keep_verdict(self, name: str, version: str, verdict: Mapping[str, Any]) -> Path:
        """Writes down what the gate said of a version, over what it said before."""
        path = self._verdict_path(name, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(verdict, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def verdict(self, name: str, version: str) -> dict[str, Any] | None:
        """Returns what the gate said of a version; None when it was never asked."""
        path = self._verdict_path(name, version)
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path} cannot be read ({error}); ask the gate again: moodwire model gate") from error
        return found

    def _home(self, name: str, version: str) -> Path:
        return self.folder / name / version

    def _verdict_path(self, name: str, version: str) -> Path:
        return self.folder / name / f"{version}.json"

    def _path_of(self, name: str, version: str) -> Path | None:
        home = self._home(name, version)
        if is_plain_name(name) and is_plain_name(version) and (home / MANIFEST).is_file():
            return home
        beside = self._beside_of(name, version)
        if beside is not None:
            return beside
        if name in shipped_names() and open_artifact(shipped(name)).version == version:
            return shipped(name)
        return None

    def _beside_of(self, name: str, version: str = "") -> Path | None:
        """The folder beside the profile with a model of this name, in this version or any."""
        for path in self._beside:
            artifact = open_artifact(path)
            if artifact.name == name and version in ("", artifact.version):
                return path
        return None

    def _where(self, artifact: Artifact) -> Literal["shipped", "profile", "added"]:
        if self._home(artifact.name, artifact.version).is_dir():
            return "added"
        return "profile" if self._beside_of(artifact.name, artifact.version) else "shipped"

    def _added(self) -> Iterator[Path]:
        for manifest in sorted(self.folder.glob(f"*/*/{MANIFEST}")):
            if not manifest.parent.name.startswith("."):
                yield manifest.parent

    def _copy(self, source: Path, home: Path) -> None:
        """All of it or nothing: the copy is made and checked beside, then renamed."""
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".coming-", dir=home.parent) as beside:
                copy = Path(beside) / "model"
                shutil.copytree(source, copy, symlinks=True)  # one that came since the check stays a link
                load_artifact(copy)
                copy.rename(home)
        except OSError as error:
            raise ArtifactError(f"the model cannot be copied to {home} ({error}); is the folder writable?") from error


def _check_plain(folder: Path) -> None:
    """Raises `ArtifactError` for a symbolic link, a folder, a pipe: a model is plain files side by side."""
    try:
        with os.scandir(folder) as found:
            strange = sorted(one.name for one in found if not one.is_file(follow_symlinks=False))
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be read ({error.strerror}); name a folder that holds a model") from error
    if strange:
        raise ArtifactError(
            f"{folder / strange[0]} is no plain file, and a model's folder holds nothing else: remove links and folders"
        )


def _entry(artifact: Artifact, where: Literal["shipped", "profile", "added"]) -> Entry:
    return Entry(
        artifact.name,
        artifact.version,
        artifact.language,
        artifact.precision,
        where,
        artifact.path,
        artifact.sha256,
        _accuracy(artifact.path / METRICS),
    )


def _accuracy(path: Path) -> dict[str, float]:
    """The accuracy of each head, from the metrics that lie beside a model; other figures differ from model to model."""
    try:
        return _stated_accuracy(json.loads(read_plain(path, _LARGEST_METRICS_BYTES)))
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return {}  # the manifest does not vouch for this file: it may hold anything


def _stated_accuracy(metrics: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in metrics.get("sets", ()):
        found.setdefault(str(one["head"]), float(one["score"]["accuracy"]))
    for heads in () if found else metrics.get("valid", {}).values():
        for head, figures in heads.items():
            found.setdefault(head, float(figures["accuracy"]))
    return found
