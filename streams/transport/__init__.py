"""The broker as a stage sees it: runs in, sends and table rows out.

    topic ──▶ sqlite/ (log on disk, Faust consumer) ──▶ runs (records cut into runs) ──▶ faust_app (agent)
                                                                                             │
                            ┌── ordered acknowledgement ◀── done ◀── dispatch (one lane per partition)
                            ▼                                                │
                      committed offset                     Stage.handle(run) ├─▶ outbox  ──▶ topics
                                                                             └─▶ tables  ──▶ changelog topics

Sends have one path in each broker: `sqlite.writer` (one transaction), `kafka.ordered` (one batch of a partition at a
time). Stages reach it through `outbox` and `tables`, threads through `Broker.append`, feeds by a publisher over that.

`runs` knows no broker: Kafka's consumer uses the same layer. `sqlite.store` knows no Faust.
"""

from __future__ import annotations

import sys


def _import_faust() -> None:
    """Load Faust's outermost package, which reads `-L`, `--loop` and `--datadir` out of the words of this process.

    They are ours: `moodwire model feedback -L sentiment=negative` names no event loop. Every module that imports
    Faust is in this package, so that this comes first.
    """
    words, sys.argv = sys.argv, sys.argv[:1]
    try:
        import faust  # noqa: F401  # its parts are loaded when they are used
    finally:
        sys.argv = words


_import_faust()
