"""The promises of the project's own files: locks, layout, size, and what a stray file cannot break."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "deploy" / "locks").glob("*.txt"))
RUNTIME_LOCK = ROOT / "deploy" / "locks" / "runtime-cpu.txt"
WEIGHTS_LOCK = ROOT / "deploy" / "locks" / "encoders.txt"  # packages that carry pretrained weights, and nothing else
PAGE_LOCK = ROOT / "deploy" / "locks" / "page.txt"  # what the build hook unpacks for the page
SIZE_LIMIT_MB = 650
DATA_FOLDERS = (ROOT / "models" / "artifacts", ROOT / "streams" / "profiles")
TRACING = ROOT / "streams" / "observe" / "tracing.py"
CHARTS = ROOT / "models" / "evaluation" / "charts.py"
FRAMES = ROOT / "streams" / "library"  # the extra `frames`
PARQUET = ROOT / "streams" / "jobs" / "export_files.py"  # the extra `parquet`
BUILD = ROOT / "streams" / "public" / "hatch_build.py"
TOP_LEVEL = {"alerts", "deploy", "models", "streams", "tests"}


def locked(lock: Path) -> list[Requirement]:
    """The pins of a lock file, without their hashes."""
    pins = re.findall(r"^([a-z0-9][^\s]*==[^\\\n]*)", lock.read_text(), flags=re.MULTILINE)
    return [Requirement(pin.strip()) for pin in pins]


def applies_here(pin: Requirement) -> bool:
    return pin.marker is None or pin.marker.evaluate()


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def test_there_is_a_lock_for_running_developing_and_training() -> None:
    assert [lock.stem for lock in LOCKS] == ["dev", "encoders", "page", "peers", "runtime-cpu", "runtime-gpu", "train"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_locks_hold_names_versions_and_hashes_and_no_address(lock: Path) -> None:
    allowed = re.compile(r"#.*|[a-z0-9.\-]+==[^\s/@]+( ; [^/@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|")
    strange = [line for line in lock.read_text().splitlines() if not allowed.fullmatch(line)]
    assert strange == []
    assert "://" not in lock.read_text()


@pytest.mark.parametrize(
    "lock", [lock for lock in LOCKS if lock not in (WEIGHTS_LOCK, PAGE_LOCK)], ids=lambda lock: lock.stem
)
def test_locks_fit_the_dependencies_of_the_project(lock: Path, project: dict[str, object]) -> None:
    versions = {canonicalize_name(pin.name): str(pin.specifier) for pin in locked(lock)}
    wanted = [Requirement(each) for each in _dependencies(project, "gpu" if lock.stem == "runtime-gpu" else "cpu")]
    unmet = [each.name for each in wanted if not _met(each, versions.get(canonicalize_name(each.name)))]
    assert unmet == [], "run `make lock`"


def test_what_runs_imports_what_the_project_declares(project: dict[str, object]) -> None:
    declared = {canonicalize_name(Requirement(each).name) for each in _dependencies(project)}
    used = {canonicalize_name(name) for name in _imported_distributions()}
    assert used - declared == set(), "imported, but not in pyproject.toml"
    assert declared - used == set(), "in pyproject.toml, but not imported"


def _dependencies(project: dict[str, object], extra: str = "cpu") -> list[str]:
    extras = project["optional-dependencies"]
    assert isinstance(project["dependencies"], list)
    assert isinstance(extras, dict)
    return [*project["dependencies"], *extras[extra]]


def _imported_distributions() -> set[str]:
    """The distributions behind every third-party import of the run-time packages."""
    sources = [path for package in ("streams", "models", "alerts") for path in (ROOT / package).rglob("*.py")]
    optional = (ROOT / "models" / "training", TRACING, CHARTS, FRAMES, PARQUET, BUILD)
    runtime = [path for path in sources if not any(path.is_relative_to(other) for other in optional)]
    trees = [node for path in runtime for node in ast.walk(ast.parse(path.read_bytes()))]
    names = {alias.name for node in trees if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in trees if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    names |= {name for node in trees if (name := _package_read(node))}
    names |= {"tzdata"} if "zoneinfo" in names else set()  # which reads it where the system has no time zones
    owners = metadata.packages_distributions()
    return {owners[top][0] for name in names if (top := name.split(".")[0]) in owners} - {"moodwire"}


def test_traces_are_an_option() -> None:
    """OpenTelemetry is imported in one module, by functions that run when somebody asks for traces."""
    sources = [path for package in ("streams", "models", "alerts") for path in (ROOT / package).rglob("*.py")]
    assert [path for path in sources if re.search(r"(import|from) opentelemetry", path.read_text())] == [TRACING]
    at_import = [node for node in ast.parse(TRACING.read_bytes()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "opentelemetry" not in {(getattr(node, "module", None) or "").split(".")[0] for node in at_import}


def _package_read(node: ast.AST) -> str | None:
    """The package whose data files are read: the "name" of `resources.files("name")` or `find_spec("name")`."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="files") | ast.Name(id="find_spec"), args=[ast.Constant(value=str(name))]
        ):
            return name
        case _:
            return None


def _met(wanted: Requirement, pin: str | None) -> bool:
    return pin is not None and wanted.specifier.contains(pin.removeprefix("=="), prereleases=True)


def test_a_run_time_install_is_small_and_has_no_torch() -> None:
    pins = [pin for pin in locked(RUNTIME_LOCK) if applies_here(pin)]
    names = {canonicalize_name(pin.name) for pin in pins}
    size = sum(_installed_bytes(pin.name) for pin in pins)

    assert not names & {"torch", "transformers", "onnx", "tensorflow", "pandas"}
    assert size < SIZE_LIMIT_MB * 1_000_000


def _installed_bytes(name: str) -> int:
    """What an installed distribution takes on disk; raises PackageNotFoundError when it is absent."""
    files = metadata.distribution(name).files
    assert files, f"{name} lists no files: its size is unknown"
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.exists())


def test_the_first_screen_of_the_readme_has_both_commands() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:25])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_every_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(
        re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text())
    )
    assert named <= targets
    assert {"demo", "test", "check", "bench", "lock", "clean", "help"} <= targets


def test_ci_calls_the_checks_and_the_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make check", "make test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_top_level_is_the_five_folders() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the project is not known")
    folders = {path.split("/")[0] for path in listed.stdout.splitlines() if "/" in path}
    assert {folder for folder in folders if not folder.startswith(".")} == TOP_LEVEL


def test_no_init_file_under_tests_and_no_test_file_name_twice() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_the_version_stands_in_one_place(project: dict[str, object]) -> None:
    version = str(project["version"])
    assert metadata.version("moodwire") == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
    packages = [path for package in ("streams", "models", "alerts") for path in (ROOT / package).rglob("*.py")]
    assert [path for path in packages if re.search(r"^__version__\s*=\s*[\"']", path.read_text(), re.MULTILINE)] == []


def test_a_stray_module_in_the_working_folder_shadows_nothing(tmp_path: Path) -> None:
    for name in ("models", "streams", "alerts", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the stray module was imported')\n")
    command = Path(sys.executable).with_name("moodwire")
    said = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "Usage" in said.stdout


@pytest.mark.slow
def test_the_wheel_carries_the_models_and_the_profiles(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    data = {str(path.relative_to(ROOT)) for folder in DATA_FOLDERS for path in folder.rglob("*") if _is_data(path)}
    assert data
    assert {f"moodwire/{path}" for path in data} - carried == set()
    assert {"moodwire/streams/board/page/vendor/uPlot.iife.js", "moodwire/streams/board/page/app.js"} <= carried
    assert {name.partition("/")[0] for name in carried if ".dist-info" not in name} == {"moodwire"}


def _is_data(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
