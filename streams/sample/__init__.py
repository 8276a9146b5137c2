"""The sample feed: two weeks of invented news, always the same, for the demo and for tests.

    companies, phrases ── grammar ──► stories ──┬── copies, revisions ──► items ──┐
    crises (two of them) ── grammar ──► stories ┘                                 ├──► lines (NDJSON)
    blemishes: broken and odd records ────────────────────────────────────────────┘

Companies' names are facts; every publisher and every sentence is invented. `ground_truth` says who falls into a
crisis and when, `watchlists.yaml` beside this file watches the one that no gazetteer knows.
"""

from streams.sample.crises import Crisis, ground_truth
from streams.sample.feed import START, generate, lines, write_sample

__all__ = ["START", "Crisis", "generate", "ground_truth", "lines", "write_sample"]
