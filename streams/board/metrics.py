"""Figures of the board, in the registry of the process."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["BoardMetrics"]

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Finest around the promise: 200 ms at the 95th percentile."""


class BoardMetrics:
    """Requests by route, never by path: addresses of strangers make no series. `streams` counts open streams."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "moodwire_board_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "moodwire_board_request_seconds",
            "Time to answer a request, streams left out.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.streams = Gauge("moodwire_board_streams", "Open streams of events.", registry=registry)
