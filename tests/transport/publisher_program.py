"""A process that appends numbered records and says on standard output which ones the store has acknowledged.

python -m tests.transport.publisher_program BROKER_FILE TOPIC HOW_MANY BATCH
"""

from __future__ import annotations

import sys
from pathlib import Path

from streams.engine.ports import Send
from streams.transport.sqlite.store import Store


def main(path: str, topic: str, how_many: str, batch: str) -> None:
    with Store.open(Path(path)) as store:
        start = int(store.progress("published") or 0)
        for at in range(start, int(how_many), int(batch)):
            numbers = range(at, min(at + int(batch), int(how_many)))
            store.append([Send(topic, b"%d" % n, b"%d" % n) for n in numbers], {"published": str(numbers[-1] + 1)})
            print(numbers[-1] + 1, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
