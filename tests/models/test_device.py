"""What `doctor` says about the processor."""

from pathlib import Path

import pytest

from models import device, load_artifact, processor_report
from models.errors import RuntimeMissingError

X86_WITHOUT = "processor\t: 0\nflags\t\t: fpu sse2 avx2 fma\n\nprocessor\t: 1\nflags\t\t: fpu\n"
X86_WITH = "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp\n"


def report_on(cpuinfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, object]:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo, encoding="utf-8")
    monkeypatch.setattr(device, "_CPUINFO", path)
    return processor_report(load_artifact(folder))


@pytest.mark.parametrize(
    ("cpuinfo", "vnni", "instructions", "verdict"),
    [
        (X86_WITHOUT, False, ["avx2"], "where 8-bit products would saturate"),
        (X86_WITH, True, ["avx2", "avx512_vnni", "avx512f"], "fast on this one"),
        (ARM, True, ["asimd", "asimddp"], "fast on this one"),
        ("", None, [], "right on this processor too"),
    ],
)
def test_processors(
    cpuinfo: str,
    vnni: bool | None,
    instructions: list[str],
    verdict: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shipped_folder: Path,
) -> None:
    report = report_on(cpuinfo, tmp_path, monkeypatch, shipped_folder)
    assert report["vnni"] is vnni
    assert report["instructions"] == instructions
    assert verdict in str(report["right_here"])


def test_the_report_names_the_file_and_the_runtime(shipped_folder: Path) -> None:
    report = processor_report(load_artifact(shipped_folder))
    assert report["file"] == str(shipped_folder / "model.onnx")
    assert report["precision"] == "int8"
    assert "CPUExecutionProvider" in report["providers"]
    assert report["missing"] is None
    assert report["cores"] >= 1


def test_without_the_runtime_the_report_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise RuntimeMissingError("install moodwire[cpu]")

    monkeypatch.setattr(device, "import_runtime", missing)
    report = processor_report()
    assert report["onnxruntime"] is None
    assert report["missing"] == "install moodwire[cpu]"
    assert "file" not in report
