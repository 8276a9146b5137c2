"""RSS and Atom documents -> entries for the mapper, in a process that may be killed.

    ParserPool.parse ── pipe ──► program: limits of memory and processor time
                                   └─ parse_document ── no entity declarations ──┬── well_formed (linear)
                                                                                 └── feedparser, for all others
    ◄──────────────── Document, or Reject: unsafe_xml, bad_feed, costly_feed ────┘

feedparser reads what XML parsers refuse, and takes quadratic time on some documents of 40 KB; so it runs where it can
be stopped, and only on documents that the linear reader leaves to it.
"""
