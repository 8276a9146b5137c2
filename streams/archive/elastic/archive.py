"""The archive on Elasticsearch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streams.archive.elastic.bulk import Action, Bulk
from streams.archive.elastic.decided import decision_document, view_document, view_key
from streams.archive.elastic.documents import alert_document, notification_document
from streams.archive.elastic.hours import HourReader, hour_action
from streams.archive.elastic.lifecycle import policy
from streams.archive.elastic.names import Names
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.pruning import Pruner
from streams.archive.elastic.reading import Reader
from streams.archive.elastic.rescoring import Rescorer
from streams.archive.elastic.session import Session
from streams.archive.elastic.templates import TEMPLATE_VERSION, templates
from streams.archive.elastic.upgrade import loss, refusal, unmarked, upgrade
from streams.archive.elastic.verdicts import Verdict
from streams.archive.elastic.writing import ItemWriter
from streams.archive.protocol import (
    ArchiveError,
    ArchiveStats,
    Claims,
    Count,
    Faceted,
    Hit,
    OnTrouble,
    Outcome,
    Query,
    RateBucket,
    RecentStory,
    SeriesSum,
    StoredAlert,
    StoredDecision,
    StoredHour,
    StoredNotification,
    StoredView,
    StoryMember,
    Unscored,
    Written,
)
from streams.records import Scored
from streams.wall_clock import wall_clock_ms

__all__ = ["ElasticArchive"]


class ElasticArchive:
    """Implements `streams.archive.protocol.Archive`; `on_trouble` hears of what somebody must mend.

    Templates are written before the first write when they are absent or of an older version. After a lost connection,
    and where an index gets its first document, they and the indices are looked at again: an Elasticsearch that came
    back empty is a trouble, and what it made by itself does not count as written.
    """

    def __init__(
        self,
        url: str,
        options: ElasticOptions,
        *,
        on_trouble: OnTrouble = lambda reason: None,  # noqa: ARG005  # nobody asked
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.names = Names(options.prefix)
        self.options = options
        self.session = Session(url, options, on_trouble=on_trouble)
        self.reader = Reader(self.session, self.names)
        self._hours = HourReader(self.session, self.names)
        self._clock = clock
        self.bulk = Bulk(self.session, options, on_first=self._check_again)
        self.writer = ItemWriter(self.session, self.bulk, self.names, options, clock)
        self._was_set_up = False
        self._checked_at: int | None = None
        self._refusal = ""
        self._setting_up = asyncio.Lock()

    def __repr__(self) -> str:
        return f"ElasticArchive({self.session.url!r}, prefix={self.options.prefix!r})"

    async def setup(self, *, lifecycle: bool = False) -> list[str]:
        """Write every index template, and upgrade the indices of an older one; idempotent. The names of those written.

        `lifecycle` adds an ILM policy for the daily indices; once there, later calls keep it. Raises `ArchiveError` for
        documents of an older version, which says how to start afresh.
        """
        found = await self._templates()
        if problem := await self._refusal_of(found) or await unmarked(self.session, self.names):
            raise ArchiveError(problem)
        await upgrade(self.session, self.names, self.options)  # before the templates: they say that it is done
        policy_name = _policy_of(found.get(f"{self.options.prefix}items", {}))
        if lifecycle:
            policy_name = f"{self.options.prefix}items"
            await self.session.call("PUT", f"/_ilm/policy/{policy_name}", policy(self.options.retention_days))
        made = templates(self.names, self.options, lifecycle=policy_name)
        for name, body in made.items():
            await self.session.call("PUT", f"/_index_template/{name}", body)
        return sorted(made)

    async def _ready(self) -> None:
        if self._checked_at == self.session.losses:
            return
        async with self._setting_up:
            if self._checked_at != (losses := self.session.losses):
                await self._check()
                self._checked_at = losses

    async def _check_again(self) -> None:
        """Raises `Retry` where an index that has just got its first document is none of our templates."""
        self._checked_at = None
        await self._ready()

    async def _check(self) -> None:
        """Sets up what is not; raises `Retry` where an operator has to act first."""
        found = await self._templates()
        # A version is asked for once: all workers must be stopped to act on it.
        self._refusal = self._refusal or await self._refusal_of(found)
        problem = self._refusal or await unmarked(self.session, self.names)
        if not problem and self._was_set_up and not self._all_of(found):
            problem = loss(self.names)
        if problem:
            self.session.refuse(problem)
        if not self._all_of(found):
            await self.setup()
        self._was_set_up = True
        self.session.accept()

    async def is_set_up(self) -> bool:
        """Whether every template is there, of this version or a newer one."""
        return self._all_of(await self._templates())

    def _all_of(self, found: Mapping[str, Mapping[str, Any]]) -> bool:
        wanted = templates(self.names, self.options)
        return all(found.get(name, {}).get("version", 0) >= TEMPLATE_VERSION for name in wanted)

    async def refusal(self) -> str:
        """Why the indices that exist are not used, and how to start afresh; empty where they are."""
        return await self._refusal_of(await self._templates()) or await unmarked(self.session, self.names)

    async def _refusal_of(self, found: Mapping[str, Mapping[str, Any]]) -> str:
        versions = [row.get("version", 0) for row in found.values()]
        return await refusal(self.session, self.names, min(versions, default=TEMPLATE_VERSION))

    async def _templates(self) -> dict[str, dict[str, Any]]:
        """Our templates that are there."""
        found: dict[str, Any] = await self.session.call(
            "GET", f"/_index_template/{self.names.prefix}*", allow=(Verdict.MISSING,)
        )
        return {row["name"]: row["index_template"] for row in found.get("index_templates", [])}

    async def server(self) -> str:
        """Name and version of the server, "Elasticsearch 9.4.3"."""
        said = await self.session.call("GET", "/", allow=(Verdict.MISSING,))
        version = said.get("version", {})
        flavor = " serverless" if version.get("build_flavor") == "serverless" else ""
        return f"Elasticsearch {version.get('number', 'of an unknown version')}{flavor}"

    async def claim(self, records: Sequence[Unscored]) -> Claims:
        await self._ready()
        return await self.writer.claim(records)

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> Sequence[Written]:
        await self._ready()
        return await self.writer.write(items, claims)

    async def write_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        """Every state under its own key, and the newest by external version: a late writer changes nothing."""
        await self._ready()
        actions: list[Action] = []
        for alert in alerts:
            document = alert_document(alert)
            actions.append(Action.of("create", self.names.alert_states, f"{alert.id}.{alert.revision}", document))
            actions.append(Action.newest(self.names.alerts, alert.id, document, alert.revision))
        await self._write_all(actions)

    async def record_notifications(self, notifications: Sequence[StoredNotification]) -> None:
        """By external version: a late writer changes nothing."""
        await self._ready()
        index = self.names.notifications
        await self._write_all(
            [Action.newest(index, one.id, notification_document(one), one.revision) for one in notifications]
        )

    async def record_decisions(self, decisions: Sequence[StoredDecision]) -> None:
        """Each under its place: a redo changes nothing."""
        await self._ready()
        names = self.names
        await self._write_all(
            [Action.of("create", names.decisions, str(one.place), decision_document(one)) for one in decisions]
        )

    async def record_views(self, views: Sequence[StoredView]) -> None:
        """By external version, the place: a late writer changes nothing."""
        await self._ready()
        index = self.names.views
        await self._write_all([Action.newest(index, view_key(one), view_document(one), one.place) for one in views])

    async def record_hours(self, hours: Sequence[StoredHour]) -> None:
        """Each under its key: a redo writes the same."""
        await self._ready()
        now_ms, days = self._clock(), self.options.retention_days
        await self._write_all([hour_action(self.names, one, now_ms, days) for one in hours])

    async def _write_all(self, actions: Sequence[Action]) -> None:
        """Documents of our own making: none of them may be refused, so a refusal is trouble."""
        for result in await self.bulk.send(actions):
            if result.verdict not in (Verdict.DONE, Verdict.CONFLICT):
                self.session.fail(f"{result.verdict.value} {result.kind} {result.reason}")

    async def stats(self) -> ArchiveStats:
        return await self.reader.stats()

    async def unscored(self) -> dict[str, int]:
        return await self.reader.unscored()

    async def items_by_id(self, ids: Sequence[str]) -> list[Scored]:
        return await self.reader.items_by_id(ids)

    async def outcomes(self, items: Sequence[Scored]) -> list[Outcome]:
        return await self.reader.outcomes(items)

    async def revisions(self, item_id: str) -> list[Scored]:
        return await self.reader.revisions(item_id)

    async def story(self, story_id: str) -> list[Scored]:
        return await self.reader.story(story_id)

    async def story_members(self, story_ids: Sequence[str]) -> dict[str, list[StoryMember]]:
        return await self.reader.story_members(story_ids)

    async def newest_of(self, series: Sequence[str], since_ms: int, until_ms: int) -> dict[str, Scored]:
        return await self.reader.newest_of(series, since_ms, until_ms)

    async def search(self, query: Query) -> list[Hit]:
        return await self.reader.search(query)

    async def faceted(self, query: Query) -> list[Faceted]:
        return await self.reader.faceted(query)

    async def rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        return await self.reader.rates(series, signal, since_ms, until_ms, bucket_ms)

    async def top(self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 20) -> list[Count]:
        return await self.reader.top(kind, signal, since_ms, until_ms, limit)

    async def stories(
        self, *, partition: int, epoch: str, before_offset: int, since_ms: int, limit: int
    ) -> list[RecentStory]:
        return await self.reader.stories(
            partition=partition, epoch=epoch, before_offset=before_offset, since_ms=since_ms, limit=limit
        )

    async def source_partitions(self) -> list[tuple[str, int]]:
        return await self.reader.source_partitions()

    async def items_after(self, *, epoch: str, partition: int, after_offset: int, limit: int) -> list[Scored]:
        return await self.reader.items_after(epoch, partition, after_offset, limit)

    async def alerts(
        self,
        *,
        series: str = "",
        state: str = "",
        since_ms: int | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[StoredAlert]:
        return await self.reader.alerts(series, state, since_ms, before, limit)

    async def alert_history(self, alert_id: str) -> list[StoredAlert]:
        return await self.reader.alert_history(alert_id)

    async def notifications(
        self, *, alert_id: str = "", channel: str = "", state: str = "", limit: int = 100
    ) -> list[StoredNotification]:
        return await self.reader.notifications(alert_id, channel, state, limit)

    async def decisions(
        self,
        *,
        target: str = "",
        by: str = "",
        kind: str = "",
        since_ms: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[StoredDecision]:
        return await self.reader.decisions(target, by, kind, since_ms, before, limit)

    async def views(
        self, kind: str, *, view_id: str = "", ids: Sequence[str] | None = None, limit: int = 1_000
    ) -> list[StoredView]:
        return await self.reader.views(kind, view_id, ids, limit)

    async def hours(self, series: Sequence[str] | None, signal: str, since_ms: int, until_ms: int) -> list[StoredHour]:
        return await self._hours.hours(series, signal, since_ms, until_ms)

    async def first_hour(self, signal: str, since_ms: int) -> int | None:
        return await self._hours.first(signal, since_ms)

    async def hour_sums(
        self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 100
    ) -> list[SeriesSum]:
        return await self._hours.sums(kind, signal, since_ms, until_ms, limit)

    async def refresh(self) -> None:
        """Let searches see all that was written: for tests and reports, never for the pipeline."""
        await self.reader.refresh(f"{self.options.prefix}*")

    async def prune(self, before_ms: int) -> int:
        return await Pruner(self.session, self.names, self.reader).prune(before_ms)

    def rescorer(self) -> Rescorer:
        """What scores archived items again."""
        return Rescorer(self.session, self.bulk, self.names, self.reader)

    async def close(self) -> None:
        await self.session.close()


def _policy_of(template: Mapping[str, Any]) -> str:
    """The ILM policy that a template for daily indices names."""
    settings = template.get("template", {}).get("settings", {})
    return str(settings.get("index", {}).get("lifecycle", {}).get("name", ""))
