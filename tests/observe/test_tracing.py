"""Traces through OpenTelemetry's own SDK and its exporter in memory; off when nobody asks for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from streams.engine.ports import Outbox, Send
from streams.engine.runs import Run
from streams.errors import Retry, SettingsError
from streams.observe.stage import ObservedStage
from streams.observe.tracing import NoTracer, OtelTracer, open_tracer
from tests.observe.watched import Clock, ToldStage, metrics_of, run_of, troubles_of

FOREIGN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    """An outbox that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[Send] = []

    async def send(self, sends: Sequence[Send]) -> None:
        self.sent += sends


class Sending(ToldStage):
    """Sends one record for each run."""

    def __init__(self, outbox: Outbox, failures: Sequence[BaseException] = ()) -> None:
        super().__init__(failures)
        self.outbox = outbox

    async def handle(self, run: Run) -> None:
        await super().handle(run)
        await self.outbox.send([Send("next", b"k", b"v", headers=(("x", b"y"),))])


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> OtelTracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OtelTracer(provider)


def watched(stage: ToldStage, tracer: OtelTracer, name: str = "score") -> ObservedStage:
    clock = Clock()
    metrics = metrics_of(clock)
    return ObservedStage(name, stage, metrics, troubles_of(metrics, clock), tracer, clock)


def linked(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


async def test_a_run_is_a_span_that_says_where_it_stands(tracer: OtelTracer, exporter: InMemorySpanExporter) -> None:
    await watched(ToldStage(), tracer).handle(run_of(10, 500))
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("score run", SpanKind.CONSUMER, StatusCode.UNSET)
    assert span.attributes is not None
    assert span.attributes["messaging.batch.message_count"] == 500
    assert (span.attributes["moodwire.offset.first"], span.attributes["moodwire.offset.last"]) == (10, 509)


async def test_a_run_links_to_the_runs_that_made_its_records(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    outbox = Kept()
    await watched(Sending(tracer.outbox(outbox)), tracer).handle(run_of(0, 3))
    (sent,) = outbox.sent
    assert sent.headers[0] == ("x", b"y")
    await watched(ToldStage(), tracer, "watch").handle(run_of(0, 100, headers=sent.headers))
    first, second = exporter.get_finished_spans()
    assert first.context is not None
    assert linked(second) == [first.context.span_id]


async def test_a_foreign_producer_s_trace_is_linked_and_nonsense_is_not(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    await watched(ToldStage(), tracer).handle(run_of(0, 2, headers=(("traceparent", FOREIGN.encode()),)))
    await watched(ToldStage(), tracer).handle(run_of(0, 2, headers=(("traceparent", b"\xff nonsense"),)))
    good, bad = exporter.get_finished_spans()
    assert linked(good) == [0x00F067AA0BA902B7]
    assert linked(bad) == []


async def test_a_failed_attempt_is_a_span_with_its_error(tracer: OtelTracer, exporter: InMemorySpanExporter) -> None:
    with pytest.raises(Retry):
        await watched(ToldStage([Retry("busy")]), tracer).handle(run_of(0, 1))
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].name == "exception"


async def test_records_sent_outside_a_run_carry_nothing(tracer: OtelTracer) -> None:
    outbox = Kept()
    await tracer.outbox(outbox).send([Send("next", None, b"v")])
    assert outbox.sent[0].headers == ()


@pytest.mark.parametrize("environment", [{}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}])
def test_nothing_is_traced_when_nobody_asks(environment: dict[str, str]) -> None:
    assert isinstance(open_tracer("", environment), NoTracer)
    outbox = Kept()
    assert NoTracer().outbox(outbox) is outbox


def test_without_the_extra_the_setting_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"moodwire\[otel\]"):
        open_tracer("http://localhost:4318", {})
