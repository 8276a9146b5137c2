"""What each head of a network answers, as plain data beside its weights (`heads.json`)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from models.dataset import DataSet
from models.training.data.dataset import NAMES_HEAD
from models.training.errors import TrainingError

__all__ = ["TAGS", "HeadKind", "HeadSpec", "head_specs", "read_heads", "write_heads"]

HeadKind = Literal["text", "entity", "names"]

TAGS = ("O", "B", "I")
"""The tags of a word: outside a name, the first word of one, a further word of one."""

_FILE = "heads.json"


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """A head judges a whole text, an entity in it, or each word; its labels in the order of its logits."""

    kind: HeadKind
    labels: tuple[str, ...]


def head_specs(labels: Mapping[str, tuple[str, ...]], sets: Iterable[DataSet]) -> dict[str, HeadSpec]:
    """Returns the heads that `sets` teach, in order; one for names where a set marks all names of its texts."""
    known = list(sets)
    entity_heads = {one.head for one in known if one.kind == "entities"}
    order = sorted(labels, key=lambda head: (head in entity_heads, head))
    specs = {head: HeadSpec("entity" if head in entity_heads else "text", labels[head]) for head in order}
    if any(one.names for one in known):
        specs[NAMES_HEAD] = HeadSpec("names", TAGS)
    return specs


def write_heads(heads: Mapping[str, HeadSpec], folder: Path) -> None:
    """Writes `folder/heads.json`."""
    content = {name: asdict(head) for name, head in heads.items()}
    (folder / _FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_heads(folder: Path) -> dict[str, HeadSpec]:
    """Reads what `write_heads` wrote. Raises `TrainingError` naming the file when it is missing or malformed."""
    path = folder / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        heads = {name: HeadSpec(one["kind"], tuple(one["labels"])) for name, one in content.items()}
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be read ({error.strerror}); name the folder of a trained network"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} is malformed ({error!r}); train the network again") from error
    for name, head in heads.items():
        if head.kind not in get_args(HeadKind):
            raise TrainingError(f"{path}: head {name!r} is of kind {head.kind!r}, none of {get_args(HeadKind)}")
    return heads
