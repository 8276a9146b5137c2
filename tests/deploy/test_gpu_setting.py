"""MOODWIRE_DEVICE=gpu, which the GPU image and the profile `gpu` of compose.yaml set: never a silent CPU."""

from __future__ import annotations

import pytest

from streams.classifiers import CUDA, classifiers_of
from streams.errors import SettingsError
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile


def test_a_gpu_that_is_not_there_is_an_error_that_names_the_ways_out() -> None:
    import onnxruntime

    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this machine has the GPU")
    with pytest.raises(SettingsError, match=r"MOODWIRE_DEVICE=gpu.*moodwire\[gpu\].*MOODWIRE_DEVICE=cpu"):
        classifiers_of(Settings(device="gpu"), load_profile("finance"))


def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_DEVICE", "tpu")
    with pytest.raises(SettingsError, match="MOODWIRE_DEVICE"):
        load_settings()
