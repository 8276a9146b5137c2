"""Queries and bodies as the structs of their route, or a problem that names every mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from streams.board.problem import Mistake, Part, Problem
from streams.userfiles import suggestion

__all__ = ["checked_body", "checked_query", "pointer_of"]

S = TypeVar("S", bound=msgspec.Struct)

_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")


def checked_query(kind: type[S], given: Mapping[str, Sequence[str]]) -> S:
    """Returns the query as a struct; raises `Problem` 400 naming each key that is unknown, repeated or wrong."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for key, values in given.items():
        if key not in fields:
            mistakes.append(_wrong(key, f"there is no such key; {suggestion(key, fields, 'this takes none')}"))
        elif len(values) > 1:
            mistakes.append(_wrong(key, "given more than once; give it once"))
        else:
            try:
                found[key] = msgspec.convert(values[0], fields[key].type, strict=False)
            except msgspec.ValidationError as error:
                mistakes.append(_wrong(key, _words(error)))
    if not mistakes:
        try:
            return msgspec.convert(found, kind)
        except msgspec.ValidationError as error:
            mistakes.append(Mistake(part=Part.QUERY, pointer=pointer_of(error), detail=_words(error)))
    raise Problem(HTTPStatus.BAD_REQUEST, f"the query cannot be used: {_listed(mistakes)}", mistakes)


def _wrong(key: str, detail: str) -> Mistake:
    return Mistake(part=Part.QUERY, pointer=f"/{_escaped(key)}", detail=detail)


def checked_body(kind: Any, body: bytes) -> Any:
    """Returns a JSON body as `kind`; raises `Problem` 400 for what is no JSON, 422 with a pointer for wrong content."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        mistake = Mistake(part=Part.BODY, pointer=pointer_of(error), detail=_words(error))
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"the body cannot be used: {_listed([mistake])}", [mistake]
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from error


def pointer_of(error: msgspec.ValidationError) -> str:
    """Returns the JSON pointer of the place that msgspec names, empty for the whole: `$.a[0]` is /a/0."""
    place = _PLACE.search(str(error))
    return "".join(f"/{_escaped(step)}" for step in _steps(place["path"])) if place else ""


def _steps(path: str) -> Iterator[str]:
    for name, index in _STEP.findall(path):
        yield name or index


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _words(error: msgspec.ValidationError) -> str:
    return _PLACE.sub("", str(error))


def _listed(mistakes: Sequence[Mistake]) -> str:
    return "; ".join(f"{mistake.pointer or 'it'}: {mistake.detail}" for mistake in mistakes)
