"""The loaded models: the active ones of now, and earlier ones while a redo may need them.

control ─► want(active) ── loads in a thread ──► wanted        the old ones go on scoring meanwhile
a redo  ─► classifiers(earlier) ── from the cache, or loaded again from the registry
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from models import Classifier
from streams.serving.versions import ActiveModels

__all__ = ["ModelCache", "OpenModel"]

OpenModel = Callable[[str, str], Classifier]
"""Loads the model of that name and version; raises `ModelError` when it cannot."""

Watch = Callable[[Mapping[str, Classifier]], Mapping[str, Classifier]]
"""Wraps classifiers, by language, with their figures."""

SETS_KEPT = 2
"""Besides the wanted one: that of the redo at hand and of the swap before. A model takes some 100 MB."""


class ModelCache:
    """Thread-safe. `watch` sees all models that become the wanted ones."""

    def __init__(self, open_model: OpenModel, first: ActiveModels, watch: Watch = lambda loaded: loaded) -> None:
        self._open = open_model
        self._watch = watch
        self._lock = threading.Lock()
        self._models: dict[tuple[str, str], Classifier] = {}
        self._active: OrderedDict[str, Mapping[str, Classifier]] = OrderedDict()
        self.wanted = first
        self._keep(first, watch(self._loaded(first)))

    def want(self, active: ActiveModels) -> None:
        """Loads the models, then makes them the wanted ones; slow, for a thread. A `ModelError` changes nothing."""
        if active == self.wanted:
            return
        with self._lock:
            loaded = self._watch(self._loaded(active))
            self._keep(active, loaded)
            self.wanted = active
            self._trim()

    def cached(self, active: ActiveModels) -> Mapping[str, Classifier] | None:
        """Returns the classifiers by language; None unless they are loaded."""
        return self._active.get(_key(active))

    def classifiers(self, active: ActiveModels) -> Mapping[str, Classifier]:
        """Returns the classifiers by language, loaded if need be; slow then. Raises `ModelError`."""
        with self._lock:
            found = self._active.get(_key(active))
            if found is None:
                found = self._loaded(active)
            self._keep(active, found)
            self._trim()
            return found

    def _loaded(self, active: ActiveModels) -> dict[str, Classifier]:
        for model in active.models.values():
            if model not in self._models:
                self._models[model] = self._open(*model)
        return {language: self._models[model] for language, model in active.models.items()}

    def _keep(self, active: ActiveModels, loaded: Mapping[str, Classifier]) -> None:
        self._active[_key(active)] = loaded
        self._active.move_to_end(_key(active))

    def _trim(self) -> None:
        """Lets go of models not used for long; one that still scores in a thread ends that first."""
        wanted = _key(self.wanted)
        for key in [key for key in self._active if key != wanted][:-SETS_KEPT]:
            del self._active[key]
        used = {(one.name, one.version) for loaded in self._active.values() for one in loaded.values()}
        self._models = {model: loaded for model, loaded in self._models.items() if model in used}


def _key(active: ActiveModels) -> str:
    """The key of the same models is the same."""
    return repr(sorted(active.models.items()))
