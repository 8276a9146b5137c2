"""The loaded models: the lineup that is wanted now, and earlier ones while a redo may ask for them.

control ─► want(lineup) ── loads in a thread ──► wanted        the old one goes on scoring meanwhile
a redo  ─► classifiers(earlier lineup) ── from the shelf, or loaded again from the registry
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from models import Classifier
from streams.serving.versions import Lineup

__all__ = ["OpenModel", "Shelf"]

OpenModel = Callable[[str, str], Classifier]
"""Loads the model of that name and version; raises `ModelError` when it cannot."""

Watch = Callable[[Mapping[str, Classifier]], Mapping[str, Classifier]]
"""Wraps the classifiers of a lineup, by language, with their figures."""

LINEUPS_KEPT = 2
"""Besides the wanted one: that of the redo at hand and of the swap before. A model takes some 100 MB."""


class Shelf:
    """Thread-safe. `watch` sees every lineup that becomes the wanted one."""

    def __init__(self, open_model: OpenModel, first: Lineup, watch: Watch = lambda loaded: loaded) -> None:
        self._open = open_model
        self._watch = watch
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], Classifier] = {}
        self._lineups: OrderedDict[str, Mapping[str, Classifier]] = OrderedDict()
        self.wanted = first
        self._keep(first, watch(self._loaded(first)))

    def want(self, lineup: Lineup) -> None:
        """Load the lineup, then let it be the wanted one; slow, for a thread. Raises `ModelError`, changing nothing."""
        if lineup == self.wanted:
            return
        with self._lock:
            loaded = self._watch(self._loaded(lineup))
            self._keep(lineup, loaded)
            self.wanted = lineup
            self._trim()

    def held(self, lineup: Lineup) -> Mapping[str, Classifier] | None:
        """The lineup's classifiers by language, if they are loaded."""
        return self._lineups.get(_key(lineup))

    def classifiers(self, lineup: Lineup) -> Mapping[str, Classifier]:
        """The lineup's classifiers by language, loaded if need be; slow then. Raises `ModelError`."""
        with self._lock:
            found = self._lineups.get(_key(lineup))
            if found is None:
                found = self._loaded(lineup)
            self._keep(lineup, found)
            self._trim()
            return found

    def _loaded(self, lineup: Lineup) -> dict[str, Classifier]:
        for model in lineup.models.values():
            if model not in self._models:
                self._models[model] = self._open(*model)
        return {language: self._models[model] for language, model in lineup.models.items()}

    def _keep(self, lineup: Lineup, loaded: Mapping[str, Classifier]) -> None:
        self._lineups[_key(lineup)] = loaded
        self._lineups.move_to_end(_key(lineup))

    def _trim(self) -> None:
        """Lets go of the models of lineups not used for long; one that still scores in a thread ends that first."""
        wanted = _key(self.wanted)
        for key in [key for key in self._lineups if key != wanted][:-LINEUPS_KEPT]:
            del self._lineups[key]
        used = {(one.name, one.version) for loaded in self._lineups.values() for one in loaded.values()}
        self._models = {model: loaded for model, loaded in self._models.items() if model in used}


def _key(lineup: Lineup) -> str:
    """Lineups of the same models are one."""
    return repr(sorted(lineup.models.items()))
