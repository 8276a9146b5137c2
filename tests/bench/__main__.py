"""`make bench`: every benchmark's figures, as ratios taken in one run, in a table and in bench-results/bench.json.

python -m tests.bench [NAME ...]      names are those of the files, without bench_ and .py
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "bench-results"


def main(names: list[str]) -> int:
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = set(names) - set(known)
    if unknown:
        print(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    figures: dict[str, dict[str, float]] = {}
    for name in names or known:
        print(f"measuring {name} …", flush=True)
        figures[name] = importlib.import_module(f"tests.bench.bench_{name}").measure()
    table = Table("benchmark", "figure", "value", header_style="bold")
    for name, values in figures.items():
        for figure, value in values.items():
            table.add_row(name, figure, f"{value:,.2f}")
    Console(width=110).print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    (RESULTS / "bench.json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")
    print(f"written to {(RESULTS / 'bench.json').relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
