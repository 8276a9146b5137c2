"""A file's nodes as a value of a type: structs, mappings, lists, texts and numbers, with every mistake in them.

The types are those of msgspec: `Annotated[float, Meta(gt=0, le=1)]` is a range, a field without a default is needed.
msgspec's own conversion ends at the first mistake and knows no lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import yaml
from msgspec import inspect

from streams.userfiles.document import UNMADE, Keys, UserFile, entries, is_empty
from streams.userfiles.names import nearest, suggestion
from streams.userfiles.words import wanted

__all__ = ["Checked", "Mistake", "shaped"]

Mistake = tuple[Keys, str]
"""A place below the struct, by its keys as they are written, and what is wrong there with the fix."""
T = TypeVar("T")
_Fields = inspect.StructType | inspect.DataclassType
_PLAIN = inspect.IntType | inspect.FloatType | inspect.BoolType | inspect.EnumType | inspect.LiteralType
_Lists = inspect.VarTupleType | inspect.ListType | inspect.TupleType


@runtime_checkable
class Checked(Protocol):
    """A struct that knows what its types cannot say."""

    def mistakes(self) -> Iterator[Mistake]: ...


class _Wrong:
    """In place of a value that cannot be used; why is in the file's problems."""


_WRONG = _Wrong()


def shaped(file: UserFile, wanted_type: type[T]) -> T | None:
    """Returns the file as a value of the type, or None; what is wrong is added to the file's problems.

    Entries of lists that cannot be used are left out, so that a reader may use the others.
    """
    kind = inspect.type_info(wanted_type)
    if file.root is None or is_empty(file.root):
        file.add_at(1, (), f"the file is empty; write {wanted(kind)}")
        return None
    value = _Shape(file).value(file.root, kind, ())
    return None if value is _WRONG else value


class _Shape:
    """One pass over a file."""

    def __init__(self, file: UserFile) -> None:
        self._file = file
        self._constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, kind: inspect.Type, keys: Keys) -> Any:
        """Returns what the node holds, or `_WRONG`."""
        if isinstance(kind, inspect.Metadata):
            return self.value(node, kind.type, keys)
        try:
            return self._value(node, kind, keys)
        except UNMADE as error:
            return self._wrong(node, keys, f"cannot be read: {getattr(error, 'problem', None) or error}; correct it")

    def _value(self, node: yaml.Node, kind: inspect.Type, keys: Keys) -> Any:
        if isinstance(kind, inspect.AnyType):
            return self._constructor.construct_document(node)
        member = _member(node, kind)
        if isinstance(node, yaml.MappingNode) and isinstance(member, _Fields | inspect.DictType):
            self._constructor.flatten_mapping(node)
            pairs = {name: (key, value) for name, key, value in entries(node)}
            return (
                self._struct(node, pairs, member, keys)
                if isinstance(member, _Fields)
                else self._mapping(pairs, member, keys)
            )
        if isinstance(node, yaml.SequenceNode) and isinstance(member, _Lists):
            return self._list(node, member, keys)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, kind, keys)
        return self._wrong(node, keys, f"take {wanted(kind)}, not {_kind_of(node)}")

    def _struct(
        self, node: yaml.Node, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], kind: _Fields, keys: Keys
    ) -> Any:
        fields = {field.encode_name: field for field in kind.fields}
        before = len(self._file.found)
        unknown = [name for name in pairs if name not in fields]
        missing = [name for name, field in fields.items() if field.required and name not in pairs]
        for name in unknown:
            self._file.add(pairs[name][0], keys, f"there is no key '{name}'; {suggestion(name, fields)}")
        for name in missing:
            self._file.add(node, keys, f"the key '{name}' is missing; write {wanted(fields[name].type)}")
        found = {
            fields[name].name: self.value(value, fields[name].type, (*keys, name))
            for name, (_, value) in pairs.items()
            if name in fields
        }
        if unknown or missing or any(value is _WRONG for value in found.values()):
            return _WRONG
        made = kind.cls(**found)
        self._file.structs[id(made)] = (made, keys)
        return self._checked(made, keys, before)

    def _checked(self, made: Any, keys: Keys, problems: int) -> Any:
        """The struct, if it finds no mistake in itself; it is asked only where all below it is right."""
        if isinstance(made, Checked) and len(self._file.found) == problems:
            mistakes = list(made.mistakes())
            for below, text in mistakes:
                self._file.problem((*keys, *below), text)
            return _WRONG if mistakes else made
        return made

    def _mapping(self, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], kind: inspect.DictType, keys: Keys) -> Any:
        found = {name: self.value(value, kind.value_type, (*keys, name)) for name, (_, value) in pairs.items()}
        return _WRONG if any(value is _WRONG for value in found.values()) else found

    def _list(self, node: yaml.SequenceNode, kind: _Lists, keys: Keys) -> Any:
        if isinstance(kind, inspect.TupleType) and len(node.value) != len(kind.item_types):
            return self._wrong(node, keys, f"take {wanted(kind)}, not of {len(node.value)}")
        kinds = kind.item_types if isinstance(kind, inspect.TupleType) else [kind.item_type] * len(node.value)
        found = [
            self.value(item, of, (*keys, number))
            for number, (item, of) in enumerate(zip(node.value, kinds, strict=True))
        ]
        least = getattr(kind, "min_length", None)
        if least and len(node.value) < least:
            return self._wrong(node, keys, f"is empty; write {wanted(kind)}")
        right = [value for value in found if value is not _WRONG]
        if isinstance(kind, inspect.TupleType) and len(right) < len(found):
            return _WRONG
        return right if isinstance(kind, inspect.ListType) else tuple(right)

    def _scalar(self, node: yaml.ScalarNode, kind: inspect.Type, keys: Keys) -> Any:
        value = self._constructor.construct_document(node)
        for member in _members(kind):
            taken = _taken(value, member)
            if taken is not _WRONG:
                return taken
        return self._wrong(node, keys, f"take {wanted(kind)}{_not_this(node, value, kind)}")

    def _wrong(self, node: yaml.Node, keys: Keys, text: str) -> _Wrong:
        self._file.add(node, keys, text)
        return _WRONG


def _members(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _member(node: yaml.Node, kind: inspect.Type) -> inspect.Type:
    """The member of a union that a mapping or a list is meant for."""
    fits = _Fields | inspect.DictType if isinstance(node, yaml.MappingNode) else _Lists
    return next((one for one in _members(kind) if isinstance(one, fits)), kind)


def _taken(value: Any, kind: inspect.Type) -> Any:
    """The scalar as the type takes it, or `_WRONG`."""
    match kind:
        case inspect.AnyType():
            return value
        case inspect.NoneType():
            return value if value is None else _WRONG
        case inspect.BoolType():
            return value if isinstance(value, bool) else _WRONG
        case inspect.StrType():
            return value if isinstance(value, str) and len(value) >= (kind.min_length or 0) else _WRONG
        case inspect.IntType() | inspect.FloatType():
            return _number(value, kind)
        case inspect.EnumType():
            return next((one for one in kind.cls if one.value == value), _WRONG)
        case inspect.LiteralType():
            return value if value in kind.values else _WRONG
    return _WRONG


def _number(value: Any, kind: inspect.IntType | inspect.FloatType) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _WRONG
    if isinstance(value, float) and not math.isfinite(value):
        return _WRONG
    if isinstance(kind, inspect.IntType) and value != int(value):
        return _WRONG
    low = (kind.ge is None or value >= kind.ge) and (kind.gt is None or value > kind.gt)
    high = (kind.le is None or value <= kind.le) and (kind.lt is None or value < kind.lt)
    return (int(value) if isinstance(kind, inspect.IntType) else float(value)) if low and high else _WRONG


def _not_this(node: yaml.ScalarNode, value: Any, kind: inspect.Type) -> str:
    """Why a scalar is refused. It is shown only where a number or a choice is wanted: others may be secret."""
    if value is None or value == "":
        return ", it is empty"
    if any(isinstance(one, inspect.StrType) for one in _members(kind)) and not isinstance(value, str):
        return ", in quotes" if _is_one(kind) else "; a text that looks like a number or date needs quotes"
    if not any(isinstance(one, _PLAIN) for one in _members(kind)):
        return ", not a text" if isinstance(value, str) else ", not a number or date"
    shown = node.value if len(node.value) <= 40 else f"{node.value[:37]}…"
    near = _nearest_choice(str(value), kind)
    return f", not {shown!r}; {near}" if near else f", not {shown!r}"


def _is_one(kind: inspect.Type) -> bool:
    """Whether one type is wanted, or none at all."""
    return sum(not isinstance(one, inspect.NoneType) for one in _members(kind)) == 1


def _nearest_choice(value: str, kind: inspect.Type) -> str:
    """Which choice may have been meant; empty if none is alike."""
    choices: list[str] = []
    for one in _members(kind):
        if isinstance(one, inspect.EnumType):
            choices += [str(member.value) for member in one.cls]
        elif isinstance(one, inspect.LiteralType):
            choices += [str(member) for member in one.values]
    return suggestion(value, choices) if nearest(value, choices) else ""


def _kind_of(node: yaml.Node) -> str:
    return "keys and values" if isinstance(node, yaml.MappingNode) else "a list"
