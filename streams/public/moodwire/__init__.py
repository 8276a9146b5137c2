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
    from streams.library import Archive, Scorer, open_archive, score
    from streams.library.client import BoardError, Client

__all__ = ["Archive", "BoardError", "Client", "MoodwireError", "Scorer", "open_archive", "score"]

_ELSEWHERE = {"BoardError": "library.client", "Client": "library.client", "MoodwireError": "errors"}


def __getattr__(name: str) -> Any:
    """Loads what is asked for: the command line shares this package, and `moodwire --help` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"moodwire has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"moodwire.streams.{_ELSEWHERE.get(name, 'library')}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
