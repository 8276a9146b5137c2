"""What `import moodwire` offers: typed calls without an event loop, for notebooks and programs.

texts ─► Scorer.score ─► records          Scorer.frame ─┐
namespace ─► open_archive ─► Archive.series, .alerts, .search ─┴► pandas
a board ─► client.Client.search, .series, .alerts, .acknowledge, .push, .follow      by itself: it needs an HTTP library
"""

from __future__ import annotations

from streams.library.archive import Archive, open_archive
from streams.library.scoring import Scorer, score

__all__ = ["Archive", "Scorer", "open_archive", "score"]
