"""From a raw text to what is known of it before a classifier sees it.

    clean ─► language ─► signature, stories       is it new?
                    └──► entities, watchlists     whom is it about?

All that is special to one field or language stands in a profile (`profile`, `streams/profiles`), none here.
"""
