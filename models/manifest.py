"""The manifest of an artifact, checked: types, bounds, and names that stay inside the folder.

It comes from outside as the network does: `MANIFEST` is read as a plain file of bounded size, decoded into these
structures, and refused whole for one value that is out of bounds.
"""

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from models.errors import ArtifactError

__all__ = [
    "FORMAT", "LARGEST_FILE_BYTES", "MANIFEST", "NETWORK", "TOKENIZER", "HeadKind", "Manifest", "StatedFile",
    "StatedHead", "is_plain_name", "read_manifest", "read_plain",
]  # fmt: skip

FORMAT = 2
"""The newest manifest format read here; 1 knew no heads but those of whole texts. A file of a later one is refused."""

MANIFEST = "artifact.json"
NETWORK = "model.onnx"
TOKENIZER = "tokenizer.json"

HeadKind = Literal["text", "entity", "names"]
"""What a head judges: a whole text, an entity in it, or each word (the tags O, B and I of names)."""

LARGEST_MANIFEST_BYTES = 1 << 20
LARGEST_FILE_BYTES = 8 << 30

#: One part of a path: no separator, no leading dot, nothing that a terminal or a shell would take for more.
_PLAIN = r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z"
PlainName = Annotated[str, Meta(pattern=_PLAIN)]
Shown = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]{1,200}\Z")]
Language = Annotated[str, Meta(pattern=r"\A[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")]


class StatedFile(msgspec.Struct, frozen=True):
    """A file that the manifest vouches for."""

    bytes: Annotated[int, Meta(ge=0, le=LARGEST_FILE_BYTES)]
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class StatedHead(msgspec.Struct, frozen=True):
    """A head's labels and what its logits need."""

    labels: Annotated[tuple[Shown, ...], Meta(min_length=1, max_length=1_000)]
    temperature: Annotated[float, Meta(ge=0.01, le=100)]
    kind: HeadKind = "text"
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.0
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    bias: tuple[Annotated[float, Meta(ge=-100, le=100)], ...] = ()

    def __post_init__(self) -> None:
        if self.bias and len(self.bias) != len(self.labels):
            raise ValueError(f"a head has {len(self.labels)} labels, and a bias for {len(self.bias)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a head has a label twice")


class Manifest(msgspec.Struct, frozen=True):
    """What `artifact.json` holds, as far as it is read; further keys are for people."""

    name: PlainName
    version: PlainName
    language: Language
    precision: PlainName
    max_tokens: Annotated[int, Meta(ge=3, le=8_192)]
    heads: Annotated[dict[Shown, StatedHead], Meta(min_length=1, max_length=1_000)]
    files: Annotated[dict[PlainName, StatedFile], Meta(max_length=100)]


def read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """Returns the manifest in `folder`, and its bytes.

    Raises `ArtifactError`, naming the file and the fix, when it is missing, malformed or of a format later than
    `FORMAT`.
    """
    path = folder / MANIFEST
    try:
        content = read_plain(path, LARGEST_MANIFEST_BYTES)
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror or error}); name a folder that holds a model with its {MANIFEST}"
        ) from error
    try:
        raw = msgspec.json.decode(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is no JSON ({error}); copy the model's folder again") from error
    return _converted(path, raw), content


def _converted(path: Path, raw: Any) -> Manifest:
    if not isinstance(raw, dict):
        raise ArtifactError(f"{path} holds no JSON object; copy the model's folder again")
    if raw.get("format") not in range(1, FORMAT + 1):
        raise ArtifactError(
            f"{path} has format {raw.get('format')!r:.40}, this moodwire reads up to {FORMAT}; "
            "update moodwire or export the model again"
        )
    for key in Manifest.__struct_fields__:
        if key not in raw:
            raise ArtifactError(f"{path} lacks '{key}'; export the model again")
    for part in (raw["name"], raw["version"]):
        if isinstance(part, str) and not is_plain_name(part):
            raise ArtifactError(f"{path}: {part!r:.60} is no name or version for a folder; export the model again")
    try:
        manifest = msgspec.convert(raw, Manifest)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ArtifactError(f"{path} is malformed ({error}); export the model again") from error
    for name in (NETWORK, TOKENIZER):
        if name not in manifest.files:
            raise ArtifactError(f"{path} lists no {name}; export the model again")
    return manifest


def read_plain(path: Path, largest_bytes: int) -> bytes:
    """Returns the content of a plain file, never of what a symbolic link points to, nor of a pipe or a device.

    Raises `OSError`, also for a file of more than `largest_bytes`.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no plain file", str(path))
        if found.st_size > largest_bytes:
            raise OSError(0, f"it has {found.st_size:,} bytes, and {largest_bytes:,} are allowed", str(path))
        return file.read()


def is_plain_name(text: str) -> bool:
    """Whether `text` can be the name of a file or folder and of nothing elsewhere."""
    return re.match(_PLAIN, text) is not None
