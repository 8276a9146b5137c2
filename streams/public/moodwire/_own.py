"""moodwire's packages under names that no folder of yours can take: `moodwire.streams`, `.models`, `.alerts`.

The packages import each other as `streams`, `models` and `alerts`. In a notebook these names belong to whoever has a
folder of that name beside it. So each module is loaded from its own file as `moodwire.<name>`, and an import of one of
the three names in such a module means the one below `moodwire`. Names outside are untouched: `import models` is yours.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["install", "root"]

_PREFIX = "moodwire."
_PACKAGES = frozenset({"alerts", "models", "streams"})


def install() -> None:
    """Makes the packages importable below `moodwire`; a second call changes nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(root()))


def root() -> Path:
    """Returns the folder that holds the packages: this one, or the checkout of an editable install."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "streams" / "library").is_dir():
            return folder
    raise ImportError(f"the packages of moodwire are not beside {__file__}: install moodwire again")


class _Finder(MetaPathFinder):
    def __init__(self, root: Path) -> None:
        self._root = root

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # that of the package above, which holds nothing
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Finds `moodwire.<package>…` in the package's own folder."""
        own = fullname.removeprefix(_PREFIX).split(".")
        if not fullname.startswith(_PREFIX) or own[0] not in _PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, [str(self._root.joinpath(*own[:-1]))], target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Runs the module with an `import` that knows its packages; compiled files are shared with the plain names."""
        module.__dict__["__builtins__"] = vars(builtins) | {"__import__": _import}
        super().exec_module(module)


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002  # names of the built-in function
    locals: Mapping[str, Any] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    package = name.partition(".")[0]
    if level or package not in _PACKAGES:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    if fromlist:
        return builtins.__import__(_PREFIX + name, globals, locals, fromlist, 0)
    importlib.import_module(_PREFIX + name)
    return sys.modules[_PREFIX + package]
