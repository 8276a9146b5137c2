"""Files that users write, in YAML: read and checked in one way; every mistake is named at once, with line, key and fix.

    path ──► document: UTF-8, YAML, bounded ──► shape: types, ranges, unknown keys ──► value
                  └────────────┬──────────────────────────┘
                               ▼
             WrongFile: FILE:LINE: KEY: what is wrong; the fix        (names: did you mean …?)

What a type cannot say, a struct says by `mistakes`; a reader of a file reports what lies across its entries.
"""

from __future__ import annotations

from streams.userfiles.document import Keys, UserFile, WrongFile, read_file
from streams.userfiles.names import suggestion
from streams.userfiles.shape import Mistake, shaped

__all__ = ["Keys", "Mistake", "UserFile", "WrongFile", "read_file", "shaped", "suggestion"]
