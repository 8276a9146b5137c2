"""A board that answers from memory, in the shapes of the API, and does what a test says: a fake for the page's tests.

Answers are made of the structs of `streams.board.shapes`, and queries are read by them: the page speaks to it as to the
real board.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from aiohttp import web

from streams.board.checking import checked_body, checked_query
from streams.board.pages import VIEWS, Pages
from streams.board.problem import Problem, problem_response
from streams.board.shapes.alerts import (
    Acknowledge,
    Acknowledged,
    Alert,
    AlertsQuery,
    Assign,
    Decided,
    Explanation,
    Finding,
    SilencedBy,
    Verdict,
)
from streams.board.shapes.arrangements import Silence, SilencePreview
from streams.board.shapes.base import Page
from streams.board.shapes.items import FacetCount, Facets, FacetsQuery, Feedback, Item, ItemsQuery, Received
from streams.board.shapes.series import AlertSpan, Heatmap, HeatmapQuery, HeatmapRow, Points, PointsQuery, SeriesQuery
from streams.board.shapes.status import Feeds, HeadOf, Kind, Mood, SeriesOf, Status, Trouble
from streams.text.heads import Of
from streams.transport.loop_thread import LoopThread
from streams.wall_clock import HOUR_MS, MINUTE_MS, wall_clock_ms
from tests.board.browser.desk_news import NAMES, alert_of, cells_of, item_of, points_of, row_of, view_of

__all__ = ["Desk"]

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


KINDS: Final = [
    SeriesOf(name="all", label="All items", of=Of.EVERYTHING, head=None),
    SeriesOf(name="source", label="Sources", of=Of.SOURCE, head=None),
    SeriesOf(name="topic", label="Topics", of=Of.LABELS, head="topic"),
    SeriesOf(name="entity", label="Companies", of=Of.ENTITIES, head=None),
]  # fmt: skip
_LABELS: Final = ["negative", "neutral", "positive"]
HEADS: Final = [
    HeadOf(name="sentiment", labels=_LABELS, of_entities=False),
    HeadOf(name="entity", labels=_LABELS, of_entities=True),
    HeadOf(name="topic", labels=[], of_entities=False),
]


class Desk:
    """Serves from a thread of its own while it is entered. `did` lists what readers decided, the earliest first."""

    def __init__(self, *, alerts: int = 2, token: str = "") -> None:
        self.now_ms = wall_clock_ms()
        self.items = [item_of(n, self.now_ms - n * 10 * MINUTE_MS, copies=2 - n % 2) for n in range(1, 121)]
        self.alerts = [alert_of(n, self.now_ms, series=list(NAMES)[1 + n % 3]) for n in range(alerts)]
        self.did: list[tuple[str, dict[str, Any]]] = []
        self.silences: list[Silence] = []
        self.verdicts: dict[str, str] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.newest_ms = self.now_ms - 5_000
        self.troubles: list[Trouble] = []
        self.fails: dict[str, int] = {}
        self.warnings: list[str] = []
        self._token = token
        self._streams: set[asyncio.Queue[bytes]] = set()
        self._loop = LoopThread("desk")

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def __enter__(self) -> Self:
        self._loop.call(self._serve)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call(self._runner.cleanup)
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(middlewares=[self._guarded])
        pages = Pages("/")
        for view in VIEWS:
            app.router.add_get(view, pages.index)
        app.router.add_get("/page/{path:.+}", pages.file)
        app.router.add_post("/login", self._login)
        app.router.add_get("/v1/stream", self._stream)
        for method, path, answer in self._routes():
            app.router.add_route(method, f"/v1/{path}", _answering(answer))
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    def _routes(self) -> list[tuple[str, str, Callable[[web.Request, bytes], object]]]:
        return [
            ("GET", "status", lambda *_: self.status()),
            ("GET", "series", self._series),
            ("GET", "series/{name}/points", self._points),
            ("GET", "heatmap", self._heatmap),
            ("GET", "items", self._items),
            ("GET", "items/facets", self._facets),
            ("POST", "items/{id}/feedback", self._feedback),
            ("GET", "alerts", self._alerts),
            ("GET", "alerts/{id}", self._view),
            ("GET", "alerts/{id}/explain", self._explain),
            ("POST", "alerts/{id}/{action}", self._decide),
            ("DELETE", "alerts/{id}/{action}", self._decide),
            ("POST", "silences/preview", self._preview),
            ("GET", "silences", lambda *_: Page(items=self.silences, next=None)),
            ("POST", "silences", self._silence),
            ("DELETE", "silences/{id}", self._end_silence),
        ]

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[request.path] += 1
        try:
            if status := next((code for path, code in self.fails.items() if request.path.startswith(path)), 0):
                raise Problem(status, "The archive is away; it is asked again.")
            if self._token and request.path.startswith("/v1/") and request.cookies.get("token") != self._token:
                raise Problem(401, "Sign in with a token.")
            response: web.StreamResponse = await handler(request)
        except Problem as problem:
            response = problem_response(problem)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = CSP
        return response

    async def _login(self, request: web.Request) -> web.Response:
        if (await request.json())["token"] != self._token:
            raise Problem(401, "This token is not known.")
        response = web.Response(status=204)
        response.set_cookie("token", self._token, httponly=True, samesite="Strict")
        return response

    # What the stream says

    def say(self, kind: str, said: object) -> None:
        """Sends an event to every stream."""
        self.say_all(kind, [said])

    def say_all(self, kind: str, said: Sequence[object]) -> None:
        """Sends events at once."""
        data = b"".join(f"event: {kind}\nid: x\ndata: {msgspec.json.encode(one).decode()}\n\n".encode() for one in said)

        async def put() -> None:
            for queue in self._streams:
                queue.put_nowait(data)

        self._loop.call(put)

    def drop(self) -> None:
        """Ends every stream, as a restart does."""

        async def end() -> None:
            for queue in self._streams:
                queue.put_nowait(b"")

        self._loop.call(end)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._streams.add(queue)
        try:
            await response.write(b"retry: 100\n\n")
            while data := await queue.get():
                await response.write(data)
        except ConnectionError:
            pass  # the reader left
        finally:
            self._streams.discard(queue)
        return response

    # What it answers

    def status(self) -> Status:
        """The state that the header shows."""
        return Status(
            namespace="live", profile="finance", kind=Kind.LIVE, now_ms=wall_clock_ms(), event_ms=self.newest_ms,
            newest_ms=self.newest_ms, items_total=len(self.items), open_alerts=len(self._of_state("open")),
            troubles=self.troubles, feeds=Feeds(alive=38, total=39), kinds=KINDS, heads=HEADS,
            scopes=["act", "read"], version="1",
            mood=Mood(signal="negative", share=0.24, low=0.17, high=0.26, hits=24, total=100, hours=24),
        )  # fmt: skip

    def _series(self, request: web.Request, _: bytes) -> object:
        query = _query(SeriesQuery, request)
        fits = [name for name in NAMES if query.q in name and (not query.kind or name.startswith(query.kind))]
        return Page(items=[row_of(name, self.now_ms, self._open_of(name)) for name in fits])

    def _open_of(self, name: str) -> str | None:
        return next((alert.id for alert in self._of_state("open") if alert.series == name), None)

    def _points(self, request: web.Request, _: bytes) -> object:
        query, name = _query(PointsQuery, request), request.match_info["name"]
        if name not in NAMES:
            raise Problem(404, f"no series is called {name}")
        until_ms = query.until_ms or self.now_ms
        since_ms = query.since_ms or until_ms - 24 * HOUR_MS
        spans = [
            AlertSpan(id=one.id, severity=one.severity, state=one.state, onset_ms=one.onset_ms, end_ms=None)
            for one in self.alerts
            if one.series == name
        ]
        points = points_of(name, since_ms, until_ms, self.now_ms)
        return Points(
            name=name, kind=name.partition("/")[0], label=NAMES[name], signal="negative", bucket_ms=HOUR_MS,
            points=points, alerts=spans,
        )  # fmt: skip

    def _heatmap(self, request: web.Request, _: bytes) -> object:
        query = _query(HeatmapQuery, request)
        until_ms = query.until_ms or self.now_ms
        since_ms = query.since_ms or until_ms - 24 * HOUR_MS
        names = [name for name in NAMES if name.startswith(f"{query.kind}/")]
        rows = [
            HeatmapRow(name=name, label=NAMES[name], cells=cells_of(name, since_ms, until_ms, self.now_ms))
            for name in names
        ]
        return Heatmap(hours=list(range(since_ms // HOUR_MS * HOUR_MS, until_ms, HOUR_MS)), rows=rows)

    def _items(self, request: web.Request, _: bytes) -> object:
        query = _query(ItemsQuery, request)
        found = [item for item in self.items if _fits(item, query)]
        start = int(query.cursor or 0)
        end = start + query.limit
        return Page(items=found[start:end], next=str(end) if end < len(found) else None)

    def _facets(self, request: web.Request, _: bytes) -> object:
        found = [item for item in self.items if _fits(item, _query(FacetsQuery, request))]
        return Facets(
            of=len(found), complete=True, sentiment=_counted([item.heads["sentiment"].label for item in found]),
            subject=_counted([item.heads["topic"].label for item in found]),
            source=_counted([item.source for item in found]), language=_counted([item.language for item in found]),
            entity=_counted([entity.id for item in found for entity in item.entities]),
        )  # fmt: skip

    def _feedback(self, _: web.Request, body: bytes) -> object:
        self.did.append(("feedback", msgspec.to_builtins(checked_body(Feedback, body))))
        return Received(id="f")

    def _of_state(self, state: str) -> list[Alert]:
        return [alert for alert in self.alerts if _state_of(alert) == state]

    def _alerts(self, request: web.Request, _: bytes) -> object:
        query = _query(AlertsQuery, request)
        found = self._of_state(query.state)
        start = int(query.cursor or 0)
        end = start + query.limit
        return Page(items=found[start:end], next=str(end) if end < len(found) else None)

    def _alert(self, request: web.Request) -> Alert:
        found = next((one for one in self.alerts if one.id == request.match_info["id"]), None)
        if found is None:
            raise Problem(404, "there is no such alert")
        return found

    def _view(self, request: web.Request, _: bytes) -> object:
        alert = self._alert(request)
        silences = [
            SilencedBy(
                id=one.id, version=one.version, about=one.about, by=one.by, comment=one.comment, ends_ms=one.ends_ms,
                maintenance=one.maintenance,
            )
            for one in self.silences
            if alert in self._hit(one.matchers)
        ]  # fmt: skip
        verdict = self.verdicts.get(alert.id)
        return view_of(alert, self.now_ms, your_verdict=verdict, silences=silences, **self.views.get(alert.id, {}))

    def _explain(self, request: web.Request, _: bytes) -> object:
        alert = self._alert(request)
        numbers = {
            "rule": "share",
            "hits": 23,
            "total": 31,
            "window_seconds": 7_200,
            "interval": [0, 4],
            "p_value": 1e-3,
        }
        findings = [
            Finding(reason="opened", text="23 negative in 2 h, expected 1.1"),
            Finding(reason="opened", text="23 of 31 negative in 2 h, expected 1.1: an alert opens", numbers=numbers),
        ]
        return Explanation(id=alert.id, series=alert.series, rule=alert.rule, findings=findings)

    def _decide(self, request: web.Request, body: bytes) -> object:
        alert, action = self._alert(request), request.match_info["action"]
        seen = request.headers.get("If-Match", "")
        if seen != f'"{alert.version}"':
            raise Problem(412, f"the alert has version {alert.version}")
        kinds: Mapping[str, type] = {"acknowledge": Acknowledge, "assign": Assign, "verdict": Verdict}
        asked = checked_body(kinds[action], body) if request.method == "POST" else None
        self.did.append((action, msgspec.to_builtins(asked) if asked else {}))
        if isinstance(asked, Verdict):
            self.verdicts[alert.id] = asked.verdict.value
        changed = {"acknowledge": {"acknowledged": Acknowledged(by="you", until_ms=None) if asked else None}}
        self._replace(alert, **changed.get(action, {}))
        return Decided(id="d1", outcome="accepted", version=alert.version + 1, warnings=self.warnings)

    def _replace(self, alert: Alert, **changes: Any) -> None:
        later = msgspec.structs.replace(alert, version=alert.version + 1, **changes)
        self.alerts[self.alerts.index(alert)] = later

    def _hit(self, matchers: Sequence[str]) -> list[Alert]:
        wanted = [part.partition("=") for part in matchers]
        labels = {name: msgspec.json.decode(value) for name, _, value in wanted}
        return [one for one in self.alerts if labels.items() <= one.labels.items()]

    def _preview(self, _: web.Request, body: bytes) -> object:
        hit = self._hit(msgspec.json.decode(body)["matchers"])
        open_ones = [one for one in hit if one.state != "resolved"]
        series = len({one.series for one in open_ones})
        return SilencePreview(alerts=open_ones, series=series, past=len(hit) - len(open_ones), now_ms=self.now_ms)

    def _silence(self, _: web.Request, body: bytes) -> object:
        made = msgspec.json.decode(body)
        self.did.append(("silence", made))
        hit = [one for one in self._hit(made["matchers"]) if one.state != "resolved"]
        for alert in hit:
            self._replace(alert, silenced=["s1"])
        self.silences.append(
            Silence(
                id="s1", version=1, about="Acme Bank, negative", by="you", at_ms=self.now_ms, matchers=made["matchers"],
                starts_ms=self.now_ms, ends_ms=self.now_ms + 1000 * made["for_seconds"], until_worse=False,
                maintenance=False, comment=made["comment"], firing=len(hit),
            )
        )  # fmt: skip
        return Decided(id="s1", outcome="accepted", version=1, warnings=self.warnings)

    def _end_silence(self, request: web.Request, _: bytes) -> object:
        self.did.append(("end", {"If-Match": request.headers["If-Match"]}))
        self.silences.clear()
        for alert in [one for one in self.alerts if one.silenced]:
            self._replace(alert, silenced=[])
        return Decided(id="d2", outcome="accepted", version=2, warnings=self.warnings)


def _query(kind: type[Any], request: web.Request) -> Any:
    return checked_query(kind, {key: request.query.getall(key) for key in request.query})


def _answering(answer: Callable[[web.Request, bytes], object]) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(body=msgspec.json.encode(answer(request, body)), content_type="application/json")

    return handle


def _state_of(alert: Alert) -> str:
    if alert.state == "resolved":
        return "history"
    if alert.silenced:
        return "silenced"
    return "acknowledged" if alert.acknowledged else "open"


def _fits(item: Item, query: FacetsQuery) -> bool:
    head, _, label = query.label.partition(":")
    return (
        query.q.lower() in item.title.lower()
        and (not query.series or query.series in item.series)
        and (not query.source or query.source == item.source)
        and (not head or item.heads[head].label == label)
        and (query.since_ms or 0) <= item.seen_ms < (query.until_ms or item.seen_ms + 1)
    )


def _counted(names: list[str]) -> list[FacetCount]:
    return [
        FacetCount(name=name, label=NAMES.get(f"entity/{name}", name), count=count)
        for name, count in Counter(names).most_common()
    ]
