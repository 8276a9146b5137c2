"""What an operator sees of a running process. Nothing here changes what a stage does, and nothing costs per record.

    Pipeline ── ObservedStage, ObservedArchive, ObservedClassifier, StageObserver ──► Metrics ──► /metrics
                     │ a span a run ──► tracing            │                            ▲
                     │ a line a run ──► logs               └─► Troubles ◄── Monitor ────┤ asks broker and archive
                     ▼                                            │  (every 5 s)        │
                  progress ──────────► Health ──► /health, /ready │                  LagCollector
                                          └──► Watchdog ──► ping  └─► notices ──► the channels of alerts

`operations` puts it together for `moodwire run`; a replay runs without.
"""
