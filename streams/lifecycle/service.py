"""The calls of the model's life: what the command line and an API offer, without either.

    lifecycle = Lifecycle(settings)
    lifecycle.correct([Feedback(item="…", by="ann", at_ms=…, labels={"sentiment": "negative"})])
    retrained = lifecycle.retrain(RetrainRequest(language="en", data=…, out=…, by="ann"))
    if retrained.gate.passed:
        lifecycle.promote(PromoteRequest(retrained.candidate.name, retrained.candidate.version, by="ann"))

Requests and results are plain frozen data. Every call blocks until it is done, and runs an event loop of its own for
the archive: in an event loop call it in a thread. Beside what a call names it raises `SettingsError` and what the
broker and the archive raise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from models.registry import Entry
from streams.classifiers import registry_of
from streams.errors import SettingsError
from streams.lifecycle.progress import Progress, Silent
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.wall_clock import wall_clock_ms

if TYPE_CHECKING:  # each call imports what it runs on: a correction needs neither Faust nor scipy
    from streams.lifecycle.changeover import Changeover, PromoteRequest, RollbackRequest
    from streams.lifecycle.corrections import TakenCorrections
    from streams.lifecycle.feedback import Feedback, Review
    from streams.lifecycle.gate import GateRequest, GateResult
    from streams.lifecycle.retrain import Retrained, RetrainRequest
    from streams.lifecycle.shadow_report import ShadowReport
    from streams.lifecycle.shadows import ShadowReportRequest, ShadowRequest
    from streams.lifecycle.versions import VersionStatus
    from streams.serving.control import Shadow

__all__ = ["Lifecycle"]


class Lifecycle:
    """The models of one namespace. `progress` follows the calls; `clock` gives the time in ms."""

    def __init__(
        self, settings: Settings, progress: Progress | None = None, clock: Callable[[], int] = wall_clock_ms
    ) -> None:
        self._settings = settings
        self._progress = progress or Silent()
        self._clock = clock

    def sole_language(self) -> str:
        """Returns the profile's language; raises `SettingsError` when it has several, so that one must be named."""
        languages = sorted(load_profile(self._settings.profile).classifiers)
        if len(languages) != 1:
            raise SettingsError(f"the profile has classifiers for {', '.join(languages)}: name one with --language")
        return languages[0]

    def versions(self) -> list[VersionStatus]:
        """Returns every version, and what it does now."""
        from streams.lifecycle.versions import versions_of

        return versions_of(self._settings, self._progress)

    def add(self, folder: Path) -> Entry:
        """Takes a model's folder in as a version. Raises `ArtifactError`."""
        return registry_of(self._settings).add(folder)

    def start_shadow(self, request: ShadowRequest) -> Shadow:
        """Lets a version score in the shadow. Raises `ArtifactError`."""
        from streams.lifecycle.shadows import start_shadow

        return start_shadow(self._settings, request, self._clock())

    def stop_shadow(self, language: str) -> None:
        """Ends the shadow of the language."""
        from streams.lifecycle.shadows import stop_shadow

        stop_shadow(self._settings, language)

    def report_shadow(self, request: ShadowReportRequest) -> ShadowReport:
        """Returns where a version differs on archived items. Raises `ArtifactError`."""
        from streams.lifecycle.shadows import report_shadow

        return report_shadow(self._settings, request, self._progress)

    def correct(self, given: Sequence[Feedback]) -> TakenCorrections:
        """Writes corrections of archived items down."""
        from streams.lifecycle.corrections import correct

        return correct(self._settings, given)

    def review(self) -> Review:
        """Returns what is agreed, and what is held back because people disagree."""
        from streams.lifecycle.corrections import read_review

        return read_review(self._settings)

    def gate(self, request: GateRequest) -> GateResult:
        """Compares a version with the one in service, and keeps the result beside it."""
        from streams.lifecycle.gate import compare

        return compare(self._settings, request, self._progress, self._clock())

    def promote(self, request: PromoteRequest) -> Changeover:
        """Puts a version into service. Raises `PromotionRefused`."""
        from streams.lifecycle.changeover import promote

        return promote(self._settings, request, self._progress, self._clock())

    def roll_back(self, request: RollbackRequest) -> Changeover:
        """Puts the version before into service. Raises `PromotionRefused`."""
        from streams.lifecycle.changeover import roll_back

        return roll_back(self._settings, request, self._progress, self._clock())

    def retrain(self, request: RetrainRequest) -> Retrained:
        """Trains a candidate and asks the gate. Raises `TooFewCorrections`, `TrainingUnavailable`, `TrainingFailed`."""
        from streams.lifecycle.retrain import retrain

        return retrain(self._settings, request, self._progress, self._clock)
