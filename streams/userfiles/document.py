"""A YAML file as nodes with lines: what cannot be read or is written twice is named with its line and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streams.errors import Mistakes

__all__ = [
    "MERGE_KEY",
    "UNMADE",
    "Keys",
    "UserFile",
    "WrongFile",
    "entries",
    "is_empty",
    "line_of",
    "named",
    "read_file",
]

Keys = tuple[str | int, ...]
"""Where a value is in its file: names of keys, and numbers of entries from 0."""

_MOST_BYTES = 4 << 20
_MOST_REPEATED = 100_000
"""Values that aliases may add to those that are written: ten lines of aliases to aliases expand to billions."""
UNMADE = (yaml.YAMLError, ValueError, OverflowError)
"""Raised for a value that cannot be made: a tag that is not known, a date that no calendar has."""
_MERGE = "tag:yaml.org,2002:merge"
MERGE_KEY = "<<"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OLD_NUMBER = re.compile(r"[-+]?0[0-7_]+|.*[:_].*")
"""Numbers of YAML 1.1 that no one means today: 010 is 8 there, 1:30 is 90, and 1_0 is 10."""


class WrongFile(Mistakes):
    """A file that cannot be used."""


@dataclass(slots=True)
class UserFile:
    """A read file, and the problems found in it so far. `root` is None in a file without a value."""

    path: str
    root: yaml.Node | None
    found: list[tuple[int, str]] = field(default_factory=list)
    """The line of each problem, 0 where there is none, and its sentence."""
    structs: dict[int, tuple[Any, Keys]] = field(default_factory=dict)
    """By its id, each struct that was made of the file, and where it is written."""

    @classmethod
    def of(cls, value: Any, origin: str) -> UserFile:
        """Returns values of this process as a file called `origin`, without lines."""
        return cls(origin, yaml.representer.SafeRepresenter().represent_data(value))

    @property
    def problems(self) -> tuple[str, ...]:
        """The sentences, by line."""
        return tuple(text for _, text in sorted(self.found, key=lambda one: one[0]))

    def problem(self, keys: Keys, text: str) -> None:
        """Adds what is wrong with the value there, or with the nearest one above it that is written."""
        self.add(_node_at(self.root, keys), keys, text)

    def problem_in(self, struct: Any, below: Keys, text: str) -> None:
        """Adds what is wrong with a struct that was made of this file."""
        self.problem((*self.structs[id(struct)][1], *below), text)

    def add(self, node: yaml.Node | None, keys: Keys, text: str) -> None:
        """Adds what is wrong with a node, which is at `keys`."""
        self.add_at(line_of(node), keys, text)

    def add_at(self, line: int, keys: Keys, text: str) -> None:
        """Adds what is wrong on a line, counted from 1; 0 is none."""
        place = f"{self.path}:{line}" if line else self.path
        self.found.append((line, ": ".join(part for part in (place, named(keys), text) if part)))

    def plain(self) -> dict[str, Any]:
        """Returns the file's keys and values as they are written; empty where it holds something else."""
        if not isinstance(self.root, yaml.MappingNode):
            return {}
        try:
            value: dict[str, Any] = yaml.constructor.SafeConstructor().construct_document(self.root)
        except UNMADE:  # a mistake of the type that is asked for
            return {}
        return value

    def refuse(self) -> None:
        """Raises WrongFile if a problem was found."""
        if self.found:
            raise WrongFile(self.problems)


def line_of(node: yaml.Node | None) -> int:
    """Returns the line that a node begins on, from 1; 0 if it has none."""
    return node.start_mark.line + 1 if node is not None and node.start_mark else 0


def is_empty(node: yaml.Node | None) -> bool:
    """Whether nothing is written: no node, `key:`, `null` or `""`."""
    return node is None or (isinstance(node, yaml.ScalarNode) and (node.value == "" or node.tag.endswith(":null")))


def named(keys: Keys) -> str:
    """Returns the place in words: `watchlists, entry 2: names`."""
    words = ""
    for key in keys:
        if isinstance(key, int):
            words += f", entry {key + 1}" if words else f"entry {key + 1}"
        elif words:
            words += f": {key}" if words.rpartition(" ")[2].isdigit() else f".{key}"
        else:
            words = key
    return words


def read_file(path: str | Path) -> UserFile:
    """Returns the file's nodes. Raises WrongFile if it cannot be read, is too large, no UTF-8 or no YAML."""
    file = UserFile(str(path), None)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise WrongFile((f"{path} cannot be read ({error.strerror or error}): name a YAML file that exists",)) from None
    if len(data) > _MOST_BYTES:
        raise WrongFile((f"{path} is larger than {_MOST_BYTES >> 20} MiB: divide it, or name the file you meant",))
    file.root = _composed(str(path), _text(str(path), data))
    if file.root is not None:
        _Inspection(file).run(file.root)
    return file


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WrongFile((f"{path}:{line}: not UTF-8: save the file in UTF-8",)) from None


def _composed(path: str, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        fix = "indent with spaces" if "\\t" in str(error.problem) else "look at brackets, quotes and indentation"
        problem = f"{path}{line}: not YAML: {error.problem or error.context}; {fix}"
    except yaml.reader.ReaderError as error:
        line = f":{text.count(chr(10), 0, error.position) + 1}"
        problem = f"{path}{line}: not YAML: character {_code(error.character)} is not allowed; remove it"
    except yaml.YAMLError as error:
        problem = f"{path}: not YAML: {' '.join(str(error).split())}"
    except RecursionError:
        problem = f"{path}: not YAML that can be read: values are nested too deeply; write fewer levels"
    raise WrongFile((problem,))


def _code(character: str | int) -> str:
    return f"U+{character if isinstance(character, int) else ord(character):04X}"


def entries(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yields each key as it is written, its node and that of its value. An unquoted `no` is a key like any other."""
    for key, value in node.value:
        yield key.value if isinstance(key, yaml.ScalarNode) else "[…]", key, value


def _node_at(node: yaml.Node | None, keys: Keys) -> yaml.Node | None:
    """The key or entry at `keys`, or the last on the way to it."""
    found = node
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            found = node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            pair = next(((place, value) for name, place, value in entries(node) if name == key), None)
            if pair is None:
                break
            found, node = pair
        else:
            break
    return found


class _Inspection:
    """Looks at each node once: keys that are written twice, numbers in old forms, and how far the aliases expand."""

    def __init__(self, file: UserFile) -> None:
        self._file = file
        self._sizes: dict[int, int] = {}
        self._above: set[int] = set()

    def run(self, root: yaml.Node) -> None:
        """Raises WrongFile for aliases that expand too far; double keys are added to the problems."""
        if self._size(root, ()) > len(self._sizes) + _MOST_REPEATED:
            self._refuse(root, f"aliases (*name) expand to over {_MOST_REPEATED:,} values; write fewer")

    def _size(self, node: yaml.Node, keys: Keys) -> int:
        if id(node) in self._above:
            self._refuse(node, "an alias (*name) refers to a value that contains it; write the value")
        if id(node) not in self._sizes:
            self._above.add(id(node))
            self._look_at(node, keys)
            self._sizes[id(node)] = 1 + sum(self._size(value, at) for value, at in self._below(node, keys))
            self._above.discard(id(node))
        return self._sizes[id(node)]

    def _look_at(self, node: yaml.Node, keys: Keys) -> None:
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and _OLD_NUMBER.fullmatch(node.value):
            self._file.add(node, keys, f"{node.value} may be read as another number; write it in digits, or in quotes")

    def _below(self, node: yaml.Node, keys: Keys) -> Iterator[tuple[yaml.Node, Keys]]:
        if isinstance(node, yaml.SequenceNode):
            yield from ((value, (*keys, number)) for number, value in enumerate(node.value))
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, yaml.Node] = {}
            for name, key, value in entries(node):
                if name in first and key.tag != _MERGE:
                    self._file.add(
                        key, (*keys, name), f"is already on line {first[name].start_mark.line + 1}; keep one of them"
                    )
                first.setdefault(name, key)
                yield value, (*keys, name)

    def _refuse(self, node: yaml.Node, text: str) -> None:
        self._file.add(node, (), text)
        self._file.refuse()
