"""Options of training as data: declared once, beside the fields that they set. Needs no torch.

    Plan.epochs: Annotated[int, option("Passes over all texts.", least=1)] ─┐
    Sources, Hardware, Teaching … : groups of such fields ──────────────────┴─ a command: a dataclass of groups
                                                                                 │
                       a command line <─ one `Declared` an option ─ declared ────┤
                       values by name ─ built, checked by msgspec ───────────────┴─> the command's groups, filled

A group may have other defaults in one command than in the next, and leave fields out: `group(without=…, name=value)`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from models.training.errors import TrainingError

__all__ = ["FROM", "HOW", "WHERE", "Declared", "Group", "built", "declared", "group", "option"]

FROM, HOW, WHERE = "What it learns from", "How it learns", "Where it runs"
"""The headings of the help; an option without one is listed first."""

Command = TypeVar("Command")


def option(
    text: str,
    *flags: str,
    panel: str = "",
    least: float | None = None,
    most: float | None = None,
    existing: Literal["", "path", "folder"] = "",
) -> msgspec.Meta:
    """Returns the metadata of a field that is an option: its help, flags and bounds, both included.

    Without `flags` there is one, the field's name. `panel` is the heading that the help shows the option under. A path
    may have to be `existing` before the command starts.
    """
    return msgspec.Meta(
        description=text, ge=least, le=most, extra={"flags": flags, "panel": panel, "existing": existing}
    )


@dataclass(frozen=True, slots=True)
class Group:
    """What a command changes of a group of options: see `group`."""

    without: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)


def group(*, without: tuple[str, ...] = (), **defaults: Any) -> Group:
    """Returns the metadata of a command's field that holds a group of options, with other `defaults` than the group's.

    The options `without` are not the command's; their fields keep the defaults.
    """
    return Group(frozenset(without), defaults)


@dataclass(frozen=True, slots=True)
class Declared:
    """One option of a command. `default` is `MISSING` if a value must be given."""

    name: str
    kind: Any
    default: Any
    meta: msgspec.Meta

    @property
    def flags(self) -> tuple[str, ...]:
        """Its names on a command line."""
        return self._shown["flags"] or (f"--{self.name.replace('_', '-')}",)

    @property
    def panel(self) -> str:
        """The heading that it is shown under."""
        return str(self._shown["panel"])

    @property
    def existing(self) -> str:
        """What must be there before the command starts: a "path", a "folder" or "" for nothing."""
        return str(self._shown["existing"])

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it may have; empty for any."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def _shown(self) -> Mapping[str, Any]:
        return self.meta.extra or {}


def declared(command: type) -> Iterator[Declared]:
    """Yields the options of a command, group by group; fields without an `option` are none."""
    for kind, changed in _groups(command).values():
        hints = get_type_hints(kind, include_extras=True)
        for one in fields(kind):
            plain, metas = _split(hints[one.name])
            if metas and one.name not in changed.without:
                yield Declared(one.name, plain, changed.defaults.get(one.name, one.default), metas[0])


def built(command: type[Command], values: Mapping[str, Any]) -> Command:
    """Returns the command with `values`, and defaults for what they leave out.

    An option is named by its field or by a flag, without dashes in front; a number may be in words of the command line.
    Raises `TrainingError` naming an option that the command does not have, lacks a value, or has one that is of a wrong
    type, out of bounds or none of the choices.
    """
    known = {one.name: one for one in declared(command)}
    given = dict(_named(known, values))
    missing = [one.flags[0] for one in known.values() if one.default is MISSING and one.name not in given]
    if missing:
        raise TrainingError(f"no value for {', '.join(missing)}")
    filled = {}
    for name, (kind, changed) in _groups(command).items():
        own = {one.name: given[one.name] for one in fields(kind) if one.name in given}
        filled[name] = {**changed.defaults, **own}
    try:
        return msgspec.convert(filled, command, strict=False, dec_hook=_as_path)
    except msgspec.ValidationError as error:
        raise TrainingError(_explained(error, known, given)) from error


def _named(known: Mapping[str, Declared], values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the values by their fields' names; one value of an option that takes several is a list of it."""
    field_of = {flag.lstrip("-"): one.name for one in known.values() for flag in one.flags} | {n: n for n in known}
    for name, value in values.items():
        if name not in field_of:
            near = get_close_matches(name, field_of, n=1)
            hint = f"; did you mean --{near[0]}?" if near else ""
            raise TrainingError(f"there is no option --{name}{hint}")
        one = known[field_of[name]]
        alone = get_origin(one.kind) is tuple and isinstance(value, str | Path)
        yield one.name, [value] if alone else value


def _groups(command: type) -> dict[str, tuple[type, Group]]:
    hints = get_type_hints(command, include_extras=True)
    split = {one.name: _split(hints[one.name]) for one in fields(command)}
    return {name: (kind, *(metas or [Group()])) for name, (kind, metas) in split.items()}


def _split(hint: Any) -> tuple[Any, Sequence[Any]]:
    """A field's type, and what is annotated to it."""
    kind, *metas = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    return kind, metas


def _as_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise NotImplementedError(kind)


def _explained(error: msgspec.ValidationError, known: Mapping[str, Declared], values: Mapping[str, Any]) -> str:
    reason, _, where = str(error).partition(" - at `$.")
    name = where.rstrip("`").rpartition(".")[2].partition("[")[0]
    if name not in known:
        return str(error)
    flag = known[name].flags[0]
    if known[name].choices:
        return f"{flag} is {values.get(name)!r}; it must be one of {', '.join(known[name].choices)}"
    return f"{flag} is {values.get(name)!r}: {reason[:1].lower()}{reason[1:]}"
