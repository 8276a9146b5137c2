"""OpenTelemetry, as an option: a span a run, linked to the runs that produced its records.

    run ─► span "score run" {stage, partition, offsets, records}  ─ links ─► the spans named in its records' headers
             └─ the records that it produces carry its `traceparent` (W3C Trace Context)

Off unless MOODWIRE_OTEL_ENDPOINT or one of OpenTelemetry's own variables names where spans go. Needs the
extra `otel`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import msgspec

from streams.engine.ports import Outbox, Send
from streams.engine.runs import Record, Run
from streams.errors import SettingsError

__all__ = ["NoTracer", "OtelTracer", "RunTracer", "TracedOutbox", "is_configured", "open_tracer"]

HEADER = "traceparent"
_MOST_LINKS = 32
_STANDARD = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class RunTracer(Protocol):
    """Opens the span of a run."""

    def run(self, stage: str, run: Run) -> AbstractContextManager[None]: ...

    def outbox(self, outbox: Outbox) -> Outbox:
        """The same outbox, whose records say which run produced them."""

    def close(self) -> None:
        """Sends what is left."""


class NoTracer:
    """Tracing is off."""

    def run(self, stage: str, run: Run) -> AbstractContextManager[None]:  # noqa: ARG002  # the protocol's
        return nullcontext()

    def outbox(self, outbox: Outbox) -> Outbox:
        return outbox

    def close(self) -> None: ...


class OtelTracer:
    """Spans through an OpenTelemetry `TracerProvider`, which it owns."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import trace

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("moodwire")

    @contextmanager
    def run(self, stage: str, run: Run) -> Iterator[None]:
        """The run's span; an exception is recorded in it and goes on."""
        attributes = {
            "messaging.operation.name": "process",
            "messaging.destination.name": run.topic,
            "messaging.destination.partition.id": str(run.partition),
            "messaging.batch.message_count": len(run.records),
            "moodwire.stage": stage,
            "moodwire.offset.first": run.first_offset,
            "moodwire.offset.last": run.last_offset,
        }
        kind = self._trace.SpanKind.CONSUMER
        links = self._links(run.records)
        with self._tracer.start_as_current_span(f"{stage} run", kind=kind, attributes=attributes, links=links):
            yield

    def _links(self, records: Sequence[Record]) -> list[Any]:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        propagator = TraceContextTextMapPropagator()
        links = []
        for parent in _parents(records):
            context = propagator.extract({HEADER: parent})
            span_context = self._trace.get_current_span(context).get_span_context()
            if span_context.is_valid:
                links.append(self._trace.Link(span_context))
        return links

    def outbox(self, outbox: Outbox) -> Outbox:
        return TracedOutbox(outbox)

    def close(self) -> None:
        self._provider.shutdown()


class TracedOutbox:
    """Adds the current span's `traceparent` to every record."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def send(self, sends: Sequence[Send]) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        if HEADER in carrier:
            header = (HEADER, carrier[HEADER].encode())
            sends = [msgspec.structs.replace(send, headers=(*send.headers, header)) for send in sends]
        await self._outbox.send(sends)


def _parents(records: Iterable[Record]) -> list[str]:
    """The distinct `traceparent` headers, in order, at most 32: a run of thousands of foreign traces stays one span."""
    found: dict[str, None] = {}
    for record in records:
        if record.headers:
            for name, value in record.headers:
                if name == HEADER:
                    found[value.decode("ascii", "replace")] = None
            if len(found) >= _MOST_LINKS:
                break
    return list(found)


def is_configured(endpoint: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody says where spans go."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return bool(endpoint) or any(environment.get(name) for name in _STANDARD)


def open_tracer(endpoint: str, environment: Mapping[str, str] = os.environ) -> RunTracer:
    """A tracer that exports by OTLP over HTTP, or `NoTracer` when nothing is configured.

    `endpoint` is a collector's base URL, such as ``http://localhost:4318``; empty: OpenTelemetry's own
    variables decide. Raises `SettingsError` when it is asked for and the extra is not installed.
    """
    if not is_configured(endpoint, environment):
        return NoTracer()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[import-not-found,unused-ignore]
            OTLPSpanExporter,  # absent where the extra is not installed
        )
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            "traces are asked for (MOODWIRE_OTEL_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT), and OpenTelemetry is not "
            "installed: install moodwire[otel], or unset the variable"
        ) from error
    url = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    name = environment.get("OTEL_SERVICE_NAME", "moodwire")
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return OtelTracer(provider)
