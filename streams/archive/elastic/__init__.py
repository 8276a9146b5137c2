"""The archive on Elasticsearch: daily indices under one alias, exact under redo and with many writers.

    score   ─► ItemWriter ─► registry (what is known of each id) ─► <prefix>items-YYYY.MM.DD, sightings
    watch   ─► alerts (present state, external version), alert-states (all)
    deliver ─► notifications
    board, Kibana ◄─ aliases <prefix>items (each item once), <prefix>versions (revisions too)

Everything written goes through `bulk` (bounded bytes, bounded requests in flight, retries) and `session` (what
an answer means, when the partition waits).

Where servers differ. 8.19 and 9.x: the same requests, sent with plain media types. Serverless: shards and replicas
cannot be set (MOODWIRE_ARCHIVE_SHARDS=0 leaves them out), there is no ILM. A server without its own daily dropping
(no ILM) is pruned by `moodwire archive prune`.

The package imports nothing by itself: the client takes a second to load, and most commands do without.
"""
