"""Feeds: everything that brings news in, up to the topic `news`.

    NDJSON, CSV, standard input ── lines ── replay ─┐
    RSS, Atom over HTTP ── rss ── poller ───────────┼─ fieldmap.to_news ── publisher ──► topic news
    records that others produced ── (stage score) ──┘        │
                                                             └─ Reject ────────────────► topic rejects

`seen` is stamped here and nowhere else: now for a live feed, the record's own time stamp for a foreign
producer, the checked publication date in a replay.
"""
