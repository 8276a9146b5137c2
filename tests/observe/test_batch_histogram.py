"""A histogram fed by batches shows what prometheus-client's own shows when fed one by one."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from streams.observe.histogram import BatchHistogram

BOUNDS = (0.01, 0.25, 1.0, 60.0)
VALUES = st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(-1e6, 1e6)), max_size=50)


@given(st.lists(VALUES, max_size=5))
def test_batches_count_like_single_values(batches: Sequence[Sequence[float]]) -> None:
    registries = CollectorRegistry(), CollectorRegistry()
    ours = BatchHistogram("seconds", "help", BOUNDS, registries[0])
    theirs = Histogram("seconds", "help", buckets=BOUNDS, registry=registries[1])
    for batch in batches:
        ours.observe_many(batch)
        for value in batch:
            theirs.observe(value)
    for bound in (*map(str, BOUNDS), "+Inf"):
        assert _bucket(registries[0], bound) == _bucket(registries[1], bound)
    counts = [registry.get_sample_value("seconds_count") for registry in registries]
    assert counts[0] == counts[1] == sum(map(len, batches))


def _bucket(registry: CollectorRegistry, bound: str) -> float | None:
    return registry.get_sample_value("seconds_bucket", {"le": bound})
