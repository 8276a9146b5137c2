"""What `import moodwire` offers: typed calls without an event loop, for notebooks and programs.

texts ─► Scorer.score ─► records          Scorer.frame ─┐
namespace ─► open_archive ─► Archive.series, .alerts, .search ─┴► pandas
a board ─► Client.search, .series, .alerts, .acknowledge, .push, .follow
"""

from __future__ import annotations

from streams.library.archive import Archive, open_archive
from streams.library.client import BoardError, Client
from streams.library.scoring import Scorer, score

__all__ = ["Archive", "BoardError", "Client", "Scorer", "open_archive", "score"]
