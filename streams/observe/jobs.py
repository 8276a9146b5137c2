"""Where a stage's Faust app stands, as `health` wants to know it."""

from __future__ import annotations

from streams.transport.faust_app import StageJob

__all__ = ["JobState"]


class JobState:
    """`health.StageState` of a job."""

    def __init__(self, job: StageJob) -> None:
        self._app = job.app

    @property
    def up(self) -> bool:
        """The flow resumes once rows are restored, and stands still while partitions move or the app stops."""
        app = self._app
        return bool(app.started and not app.crashed and app.consumer.can_resume_flow.is_set())

    @property
    def crash(self) -> str:
        return repr(self._app.crash_reason) if self._app.crashed else ""
