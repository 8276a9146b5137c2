"""The settings file as a source of pydantic-settings.

The source for YAML that comes with pydantic-settings keeps no lines and knows no sections: the file is read by
`streams.settings.file`, and this source hands its values over in the order of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic_settings import BaseSettings, InitSettingsSource

__all__ = ["FileSource", "values_of_file"]

_values: ContextVar[Mapping[str, Any] | None] = ContextVar("values_of_file", default=None)


class FileSource(InitSettingsSource):
    """The values of the settings file that is in effect; none outside `values_of_file`."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, dict(_values.get() or {}))


@contextmanager
def values_of_file(values: Mapping[str, Any]) -> Iterator[None]:
    """Settings that are made inside take what they lack from `values` (by name of the field)."""
    token = _values.set(values)
    try:
        yield
    finally:
        _values.reset(token)
