"""A model as it lies on disk: a folder with a manifest, `artifact.json`, that vouches for the other files.

    artifact.json    name, version, heads with labels, scaling and thresholds, size and SHA-256 of the files below
    model.onnx       token numbers in, logits of each head out
    tokenizer.json   text in, token numbers out
    MODEL_CARD.md    what it was trained on and how well it does; metrics.json has the same for programs

The manifest is checked before anything is loaded: a download that broke off, a file changed by hand or
a format of tomorrow ends in an `ArtifactError` that names the file, not in odd scores. Who changes the manifest too is
found out by its own SHA-256, `Artifact.sha256`, which settings can pin.
"""

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.calibration import Scaling
from models.errors import ArtifactError
from models.manifest import (
    FORMAT,
    LARGEST_FILE_BYTES,
    MANIFEST,
    NETWORK,
    TOKENIZER,
    HeadKind,
    Manifest,
    StatedHead,
    read_manifest,
    read_plain,
)

__all__ = [
    "ADDED_TOPIC",
    "FORMAT",
    "MANIFEST",
    "NETWORK",
    "TOKENIZER",
    "Artifact",
    "ArtifactError",
    "FileSum",
    "Head",
    "HeadKind",
    "format_for",
    "load_artifact",
    "open_artifact",
    "shipped",
    "shipped_names",
]

ADDED_TOPIC = "topic/"
"""What the name of a head begins with that tells one topic, its second label, from everything else."""

_SHIPPED = Path(__file__).parent / "artifacts"


@dataclass(frozen=True, slots=True)
class FileSum:
    """Size and SHA-256 that the manifest states for a file."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Head:
    """One question that the model answers: its labels in order, and how its logits become probabilities.

    `threshold` is the probability from which 95 % of the answers on the dev rows were right; 0 where it was not
    measured.
    """

    labels: tuple[str, ...]
    scaling: Scaling = field(default_factory=Scaling)
    kind: HeadKind = "text"
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """A folder whose manifest was read; `read` hands out its files, checked."""

    path: Path
    name: str
    version: str
    language: str
    precision: str
    max_tokens: int
    heads: Mapping[str, Head]
    files: Mapping[str, FileSum]
    sha256: str
    """Of the manifest, which holds those of all files."""

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The labels of each head."""
        return {name: head.labels for name, head in self.heads.items()}

    def of_kind(self, kind: HeadKind) -> dict[str, Head]:
        """The heads that judge what `kind` says."""
        return {name: head for name, head in self.heads.items() if head.kind == kind}

    def read(self, name: str) -> bytes:
        """Returns the content of a file of the manifest.

        Raises `ArtifactError` when it is missing, truncated or altered.
        """
        path, stated = self.path / name, self.files[name]
        try:
            content = read_plain(path, LARGEST_FILE_BYTES)
        except OSError as error:
            why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise ArtifactError(f"model file {path} cannot be read ({why}); {_fix(self)}") from error
        if len(content) != stated.size_bytes:
            raise ArtifactError(
                f"model file {path} has {len(content):,} bytes, the manifest says {stated.size_bytes:,}; {_fix(self)}"
            )
        if hashlib.sha256(content).hexdigest() != stated.sha256:
            raise ArtifactError(f"model file {path} was altered: its SHA-256 is not the manifest's; {_fix(self)}")
        return content


def format_for(heads: Mapping[str, Head]) -> int:
    """Returns the oldest format that can say what `heads` are, so that older installations read what they can."""
    return 1 if all(head.kind == "text" for head in heads.values()) else 2


def shipped(name: str) -> Path:
    """Returns the folder of a model that comes with the package.

    Raises `ArtifactError` naming the shipped models when there is none of that name.
    """
    folder = _SHIPPED / name
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(f"no shipped model is called {name!r}; shipped: {', '.join(shipped_names()) or 'none'}")
    return folder


def shipped_names() -> list[str]:
    """Returns the names of the models that come with the package."""
    return sorted(path.parent.name for path in _SHIPPED.glob(f"*/{MANIFEST}"))


def open_artifact(path: Path) -> Artifact:
    """Reads the manifest in the folder `path` alone, for what it states; each file is checked when it is read.

    Raises `ArtifactError`, naming the file and the fix, when the manifest is missing, malformed or of a format later
    than `FORMAT`.
    """
    manifest, content = read_manifest(path)
    return _artifact(path, manifest, hashlib.sha256(content).hexdigest())


def load_artifact(path: Path) -> Artifact:
    """Opens the artifact in the folder `path` and checks that every file of it is whole.

    Raises what `open_artifact` does, and `ArtifactError` for a file that is missing, truncated or altered.
    """
    artifact = open_artifact(path)
    for name in artifact.files:
        artifact.read(name)
    return artifact


def _artifact(path: Path, manifest: Manifest, sha256: str) -> Artifact:
    return Artifact(
        path=path,
        name=manifest.name,
        version=manifest.version,
        language=manifest.language,
        precision=manifest.precision,
        max_tokens=manifest.max_tokens,
        heads={name: _head(stated) for name, stated in manifest.heads.items()},
        files={name: FileSum(stated.bytes, stated.sha256) for name, stated in manifest.files.items()},
        sha256=sha256,
    )


def _head(stated: StatedHead) -> Head:
    scaling = Scaling(stated.temperature, stated.smoothing, stated.bias)
    return Head(stated.labels, scaling, stated.kind, stated.threshold)


def _fix(artifact: Artifact) -> str:
    if artifact.path.parent == _SHIPPED:
        return "install moodwire again"
    return "copy the model's folder again, or export the model again"
