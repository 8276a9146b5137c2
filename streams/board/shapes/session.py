"""Signing in: a token for a cookie."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["Login"]


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token that the page exchanges for its cookie."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]
