"""moodwire for notebooks and programs: score texts, read an archive, series and alerts as data frames.

    import moodwire

    moodwire.score(["Shares plunge after the bank halts withdrawals"])
    with moodwire.open_archive("demo") as archive:
        archive.series("all", bucket="1h").plot()
        archive.alerts()
    with moodwire.Client("http://127.0.0.1:8770") as board:
        list(board.search("halts withdrawals"))

Settings are those of the command line: moodwire.yaml, MOODWIRE_… and the data folder. Data frames need
moodwire[frames]. Folders called `models`, `alerts` or `streams` beside your notebook do no harm.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from moodwire._own import install

install()

if TYPE_CHECKING:
    from streams.errors import MoodwireError
    from streams.library import Archive, BoardError, Client, Scorer, open_archive, score

__all__ = ["Archive", "BoardError", "Client", "MoodwireError", "Scorer", "open_archive", "score"]


def __getattr__(name: str) -> Any:
    """Loads what is asked for: the command line shares this package, and `moodwire --help` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"moodwire has no {name!r}; it has {', '.join(__all__)}")
    module = "moodwire.streams.errors" if name == "MoodwireError" else "moodwire.streams.library"
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
