"""The engine: runs, positions, ticks.

    transport ──Run──► stage.handle(run) ──► archive ──► outbox ──► state rows ──► partition row ──► commit

`runs` holds what a transport hands over, `ports` what a stage may do to the world and in which order,
`positions` the rule that makes counts exact under redo, `ticks` event time and its watermark.
Nothing here knows Faust, Kafka or SQLite.
"""
