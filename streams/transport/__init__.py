"""The broker as a stage sees it: runs in, sends and table rows out.

    topic ──▶ sqlite/ (log on disk, Faust consumer) ──▶ runs (records cut into runs) ──▶ faust_app (agent)
                                                                                             │
                            ┌── ordered acknowledgement ◀── done ◀── dispatch (one lane per partition)
                            ▼                                                │
                      committed offset                     Stage.handle(run) ├─▶ outbox  ──▶ topics
                                                                             └─▶ tables  ──▶ changelog topics

`runs` knows no broker: Kafka's consumer uses the same layer. `sqlite.store` knows no Faust.
"""
