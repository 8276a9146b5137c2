"""Private parts of Faust, mode and aiokafka are listed in one module, exist in the installed versions, and are used
nowhere else."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import streams.transport
from streams.transport import internals
from streams.transport.internals import HOOKS, PARTS

STREAMS = Path(streams.transport.__file__).parents[1]
LIBRARIES = ("faust.", "mode.", "aiokafka.", "kafka.")

LISTED = [(owner, name) for names in (PARTS, HOOKS) for owner, parts in names.items() for name in parts]


@pytest.mark.parametrize(("owner", "name"), LISTED, ids=lambda value: str(value).rpartition(":")[2])
def test_the_installed_version_has_every_listed_name(owner: str, name: str) -> None:
    module, _, kind = owner.partition(":")
    assert _has(getattr(import_module(module), kind), name), f"{owner} has no {name}: {internals.__file__} uses it"


def test_every_listed_name_has_a_reason_and_is_used() -> None:
    used = {node.attr for node in _attributes(Path(internals.__file__))}
    for parts in PARTS.values():
        assert all(parts.values())
        assert parts.keys() <= used
    assert used <= {name for parts in PARTS.values() for name in parts}


def test_no_other_file_uses_a_listed_name() -> None:
    """In `transport`, which imports the libraries, no name at all that the file does not define itself."""
    hooks = {name for parts in HOOKS.values() for name in parts}
    parts = {name for names in PARTS.values() for name in names}
    foreign = [
        f"{path.relative_to(STREAMS)}:{node.lineno} {ast.unparse(node)}"
        for path in STREAMS.rglob("*.py")
        if path != Path(internals.__file__)
        for node in _attributes(path)
        if node.attr not in hooks and node.attr not in _defined(path)
        if node.attr in parts or path.is_relative_to(STREAMS / "transport")
    ]
    assert not foreign


def test_our_subclasses_override_and_use_only_listed_names() -> None:
    """A name that a library's class has as well would also be taken for our own above."""
    shared = [
        f"{kind.__module__}.{kind.__qualname__}.{name}"
        for kind in _subclasses()
        for name in sorted(_private_names(kind))
        for base in kind.__mro__
        if base.__module__.startswith(LIBRARIES) and _has(base, name, own=True) and not _is_hook(kind, name)
    ]
    assert not shared, "give it another name, or list it"


def test_every_hook_is_used() -> None:
    for owner, parts in HOOKS.items():
        ours = [kind for kind in _subclasses() if owner in _owners(kind)]
        for name in parts:
            assert any(name in _private_names(kind) for kind in ours), f"{owner} {name}"


def test_no_private_class_is_imported_that_is_not_listed() -> None:
    listed = {owner.rpartition(":")[2] for names in (PARTS, HOOKS) for owner in names}
    imported = [
        name.name
        for path in STREAMS.rglob("*.py")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(LIBRARIES)
        for name in node.names
    ]
    assert {name for name in imported if name.startswith("_")} <= listed


def _is_hook(kind: type, name: str) -> bool:
    return any(name in HOOKS.get(owner, ()) for owner in _owners(kind))


def _owners(kind: type) -> list[str]:
    return [f"{base.__module__}:{base.__name__}" for base in kind.__mro__]


def _has(kind: type, name: str, *, own: bool = False) -> bool:
    """Whether the class has the attribute, or one of its methods sets it on its instances."""
    bases = [kind] if own else [base for base in kind.__mro__ if base is not object]
    return any(name in vars(base) or name in _set_on_self(base) for base in bases)


@cache
def _set_on_self(kind: type) -> frozenset[str]:
    """The names that the class's code sets on an object, or annotates; an extension type shows none."""
    try:
        source = Path(inspect.getfile(kind))
    except TypeError:
        return frozenset()
    if source.suffix != ".py":
        return frozenset()
    tree = next((node for node in ast.walk(_tree(source)) if _is_class(node, kind.__name__)), ast.Module([], []))
    return frozenset(name for node in ast.walk(tree) for name in _targets(node))


def _is_class(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == name


def _targets(node: ast.AST) -> list[str]:
    match node:
        case ast.Attribute(attr=name, ctx=ast.Store()) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _private_names(kind: type) -> set[str]:
    """The private names that the class defines or uses on itself."""
    source = Path(inspect.getfile(kind))
    tree = next(node for node in ast.walk(_tree(source)) if _is_class(node, kind.__name__))
    on_self = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_self(node.value)}
    return {name for name in on_self | _defined_in(tree) if name.startswith("_") and not name.startswith("__")}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


@cache
def _subclasses() -> tuple[type, ...]:
    """Our classes that have a base in one of the libraries."""
    return tuple(
        kind
        for module in _modules(streams.transport)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and any(base.__module__.startswith(LIBRARIES) for base in kind.__mro__)
    )


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield import_module(found.name)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _attributes(path: Path) -> Iterator[ast.Attribute]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            yield node


@cache
def _defined(path: Path) -> frozenset[str]:
    return _defined_in(_tree(path))


def _defined_in(tree: ast.AST) -> frozenset[str]:
    """The names that the code defines: functions, classes, fields, and attributes that it sets on `self`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Store()):
                found.add(node.attr)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
    return frozenset(found)
