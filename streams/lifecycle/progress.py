"""What a long call reports while it runs; a call works the same whether or not anybody follows it."""

from __future__ import annotations

from typing import Protocol

from streams.lifecycle.training_set import TrainingSet

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Follows a call; its methods are called in the thread of the call and must return at once."""

    def step(self, text: str) -> None:
        """The call has begun this step."""

    def items(self, done: int) -> None:
        """So many versions of archived items were read."""

    def collected(self, training_set: TrainingSet, conflicts: int) -> None:
        """The corrections to train with; `conflicts` are held back because people disagree."""

    def warn(self, text: str) -> None:
        """Something was passed over."""


class Silent:
    """Reports nothing."""

    def step(self, text: str) -> None: ...

    def items(self, done: int) -> None: ...

    def collected(self, training_set: TrainingSet, conflicts: int) -> None: ...

    def warn(self, text: str) -> None: ...
