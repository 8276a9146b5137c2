"""What the calls of the lifecycle refuse, each with a text that is fit for an operator to read.

MoodwireError
└── LifecycleError
    ├── PromotionRefused      a version may not go into service: the reason, and what would change it
    ├── TooFewCorrections     fewer corrections are agreed and usable than the call asks for
    ├── TrainingUnavailable   the training code cannot be started: its Python or its packages are missing
    └── TrainingFailed        training started, and ended without a model: the step and the reason
"""

from __future__ import annotations

from streams.errors import MoodwireError

__all__ = ["LifecycleError", "PromotionRefused", "TooFewCorrections", "TrainingFailed", "TrainingUnavailable"]


class LifecycleError(MoodwireError):
    """Base of what the lifecycle refuses."""


class PromotionRefused(LifecycleError):
    """A version may not go into service."""


class TooFewCorrections(LifecycleError):
    """`found` corrections are agreed and usable, `wanted` are asked for."""

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"{found:,} corrections are agreed and usable, {wanted:,} are needed (--min-corrections): collect more"
        )
        self.found = found
        self.wanted = wanted


class TrainingUnavailable(LifecycleError):
    """The Python of the training code cannot be started, or lacks packages."""


class TrainingFailed(LifecycleError):
    """A training ended without a model, in `step`: its request, `train` or `export`."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"{step} failed: {message}")
        self.step = step
