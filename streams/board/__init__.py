"""The board: an HTTP API under /v1 and the page that a desk keeps open, read from the archive and the topics.

    request ─► guard ─► access ─► route: query and body checked ─► handler ─► reading, archive, broker
                 │         │                   │                      │
                 └─────────┴───── problem ◄────┴──────────────────────┴─► JSON, CSV, server-sent events

`routes` is the one table: it registers, checks and describes (`openapi`). `shapes` are the structs of the contract,
`handlers` the glue, `reading` the queries, `live` the stream. `server` serves in one event loop, `thread` in a thread
of its own beside the pipeline: it shares no archive, no broker and no loop with the stages.
"""
