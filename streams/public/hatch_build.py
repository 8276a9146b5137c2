"""Puts the public package into wheels; an editable install finds it in its own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path("streams") / "public" / "moodwire"


class PublicPackage(BuildHookInterface):  # type: ignore[type-arg]  # of any builder
    """`streams` is below `moodwire` in a wheel, so no rewriting of paths could put `streams/public/moodwire` on top."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the package's files to a wheel of the version `standard`."""
        if version == "standard":
            build_data["force_include"][str(Path(self.root) / PACKAGE)] = PACKAGE.name
