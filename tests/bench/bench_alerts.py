"""What the alerts core costs per (series, tick): run it as a script, or call `measure()`.

Every figure is in microseconds of processor time. `loop` is the cost of one bare `for` step on the same machine at the
same time: a yardstick for comparing runs on machines that are differently fast or busy.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator

from alerts import AlertConfig, Copies, Mention, SeriesState, StreamState, close_tick, kind_of, tick_of
from tests.alerts.one_series import SIGNAL, heard_by, mention_of

HOUR_MS = 3_600_000
START_MS = 1_735_516_800_000  # a Monday, 00:00 UTC


def _mentions(count: int, per_day: float, negative: float, seed: int = 7) -> Iterator[Mention]:
    draw = random.Random(seed)
    seen = float(START_MS)
    for number in range(count):
        seen += draw.expovariate(per_day / (24 * HOUR_MS))
        is_negative = draw.random() < negative
        yield mention_of(int(seen), f"{number:032x}", draw.getrandbits(62) | 1, int(is_negative), 1.0)


def _play(series: str, mentions: Iterable[Mention], config: AlertConfig) -> tuple[SeriesState, StreamState, float]:
    """One series through add and close_tick; returns the states and the microseconds per mention."""
    state, stream, copies, kind = SeriesState(), StreamState(), Copies(), kind_of(series)
    ready = [heard_by(one, (series,), at) for at, one in enumerate(mentions)]
    begun = time.process_time()
    for mention in ready:
        tick_ms = tick_of(mention.seen_ms, config.hop_ms)
        stream.add(series, mention.seen_ms, bool(mention.hits))
        stream.close_tick(tick_ms, config)
        counted = copies.counted(tick_ms, [mention], config).by_series.get(series, ())
        close_tick(SIGNAL, series, kind, state, stream, tick_ms, config, counted)
    spent = time.process_time() - begun
    return state, stream, spent / len(ready) * 1e6


def _per_call(call: object, times: int) -> float:
    assert callable(call)
    begun = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begun) / times * 1e6


def measure() -> dict[str, float]:
    """Microseconds (and bytes, where the name says so) of the core's steps."""
    config = AlertConfig.default("entity", "topic", "all", signal=SIGNAL)
    figures: dict[str, float] = {}
    _, _, figures["quiet_mention_us"] = _play("entity/a", _mentions(20_000, 200, 0.0), config)
    sparse, _, figures["sparse_series_us"] = _play("entity/b", _mentions(3_000, 2, 0.3), config)
    _, _, figures["usual_series_us"] = _play("topic/c", _mentions(10_000, 100, 0.3), config)
    busy, stream, figures["busy_series_us"] = _play("all", _mentions(40_000, 20_000, 0.3), config)
    for name, state in (("sparse", sparse), ("busy", busy)):
        row = state.to_bytes()
        figures[f"{name}_row_bytes"] = len(row)
        figures[f"{name}_to_bytes_us"] = _per_call(state.to_bytes, 300)
        figures[f"{name}_from_bytes_us"] = _per_call(lambda row=row: SeriesState.from_bytes(row), 300)
    figures["stream_row_bytes"] = len(stream.to_bytes())
    figures["stream_to_bytes_us"] = _per_call(stream.to_bytes, 300)
    begun = time.process_time()
    for _ in range(1_000_000):
        pass
    figures["loop_us"] = time.process_time() - begun
    return figures


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:24} {value:12.3f}")
