"""A brief of a day, or of another time, from an archive: as one HTML file, and pictures beside it.

archive ─► day ─────► which time, by default the last whole day
        ─► alerts ──► what opened, worsened, ended, and what is open still ─┐
        ─► volume ──► volume by subject, gaps and other troubles ───────────┼─► Brief ─► page ─► HTML, PNGs
        ─► board.reading: mood, movers, points ─────────────────────────────┘

Times are those of the archive, UTC. A brief of a time is the same whenever it is made: what changed later is not in it.
"""

from __future__ import annotations

from streams.brief.content import Brief
from streams.brief.day import last_whole_day
from streams.brief.digest import briefing_of
from streams.brief.page import Page, page_of
from streams.brief.reading import Source, brief_of

__all__ = ["Brief", "Page", "Source", "brief_of", "briefing_of", "last_whole_day", "page_of"]
