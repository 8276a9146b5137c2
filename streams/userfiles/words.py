"""What a value must be, in words: `a whole number from 1 to 1024`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import inspect

__all__ = ["bounds", "choice", "wanted"]


_WORDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.DictType: "keys and values",
}


def wanted(kind: inspect.Type) -> str:
    """Returns what the type takes."""
    match kind:
        case inspect.IntType() | inspect.FloatType():
            number = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            return number + bounds(kind.ge, kind.gt, kind.le, kind.lt)
        case inspect.EnumType():
            return choice([one.value for one in kind.cls])
        case inspect.LiteralType():
            return choice(kind.values)
        case inspect.StructType() | inspect.DataclassType():
            return f"keys such as {', '.join(_leading(kind))}"
        case inspect.UnionType():
            return choice([wanted(one) for one in kind.types if not isinstance(one, inspect.NoneType)])
        case inspect.TupleType():
            return f"a list of {len(kind.item_types)} values"
        case inspect.VarTupleType() | inspect.ListType():
            return f"a list of {_plural(kind.item_type)}"
    return _WORDS.get(type(kind), "another value")


def bounds(ge: float | None, gt: float | None, le: float | None, lt: float | None) -> str:
    """Returns a range in words, behind a blank; empty without one."""
    match [ge, gt, le, lt]:
        case [None, None, None, None]:
            return ""
        case [low, None, None, None]:
            return f" of at least {_number(low)}"
        case [None, low, None, None]:
            return f" above {_number(low)}"
        case [low, None, high, None]:
            return f" from {_number(low)} to {_number(high)}"
        case [None, low, high, None]:
            return f" above {_number(low)} to {_number(high)}"
        case [None, low, None, high]:
            return f" between {_number(low)} and {_number(high)}"
    least = "" if ge is None else f" of at least {_number(ge)} and"
    return f"{least} below {_number(lt)}" if le is None else f"{least} at most {_number(le)}"


def _leading(kind: inspect.StructType | inspect.DataclassType) -> list[str]:
    needed = [field.encode_name for field in kind.fields if field.required]
    return needed or [field.encode_name for field in kind.fields[:3]]


def _plural(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType():
            return "texts"
        case inspect.IntType() | inspect.FloatType():
            return "numbers"
        case inspect.StructType() | inspect.DataclassType():
            return f"entries with {', '.join(_leading(kind))}"
    return "values"


def choice(values: Iterable[object]) -> str:
    """Returns the values as one may choose: `a, b or c`."""
    *most, last = [str(value) for value in values]
    return f"{', '.join(most)} or {last}" if most else last


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value}"
