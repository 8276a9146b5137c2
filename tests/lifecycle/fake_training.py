"""Stands in for `python -c … model train|export` where the training packages are not: a program for tests.

`train` writes down its words; `export` writes the shipped model under the asked version.
"""

from __future__ import annotations

import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path

from models import shipped
from models.artifact import MANIFEST

MODEL = "finance-en-minilm-int8"


def main(words: list[str]) -> int:
    options = dict(pairwise(words))
    if words[0] == "train":
        if "--fail" in words:
            return 3
        run = Path(options["--out"])
        run.mkdir(parents=True, exist_ok=True)
        (run / "words.json").write_text(json.dumps(words), encoding="utf-8")
        return 0
    run, out = Path(words[1]), Path(words[2])
    assert (run / "words.json").is_file(), "nothing was trained"
    shutil.copytree(shipped(MODEL), out)
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    (out / MANIFEST).write_text(json.dumps(manifest | {"version": options["--model-version"]}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[sys.argv.index("model") + 1 :]))
