"""Run the command line of two checkouts on the same runs and compare the results.

Use it before and after a refactoring that must not change any output:

    git clone . /tmp/before && git -C /tmp/before checkout COMMIT
    python scripts/same_outputs.py /tmp/before .

The interpreter that runs this script runs both; no installation is needed. First both make the same runs, and
the written files are compared. Then both read copies of the runs of BEFORE: exit codes, JSON, CSV cells,
figures in tables and files are compared, wording and pixels are not. Exit code 1 where a command differs.
"""

from __future__ import annotations

import html
import io
import json
import lzma
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

# Keys and columns left out of files that both sides write; look-ups read the same run, and all is compared.
TIMES = {
    "started_at",
    "duration_s",
    "prediction_s",
    "epochs_s",
    "spent_s",
    "images_per_s",
    "timings",
    "signature",
}
OF_THE_CHECKOUT = {"code", "conditions", "git_commit"}
SMALL = {"TUNER_MAX_TRIALS": "2", "TUNER_MAX_EPOCHS": "1", "TUNER_LIMIT": "400", "TUNER_DATA": "cifake.zip"}
SMALLER = {"--max-trials 50": "--max-trials 2", "--max-time 2h": "--max-time 20m", "--seeds 3": "--seeds 2"}
MAKES = re.compile(r"tuner (search(?!.*--dry-run)|train|resume|retry|spaces copy)|--retrain|--ensemble")
MADE = """
search --data demo --image-size 16 --max-trials 22 --max-epochs 3 --limit 600 --seed 7 --name first
best first --retrain --seeds 2, best first --ensemble 2, evaluate first --robustness
"""
FORMATS = {"best": ("table", "json", "toml"), "predict": ("table", "json", "jsonl", "csv")}
LISTINGS = """
leaderboard first, leaderboard first --top 2, runs, importance first, doctor first, best first, best resnet
best first --retrain --seeds 2, best first --ensemble 2, compare first three, compare three resnet
evaluate first, evaluate first --split validation, evaluate first --compare three, spaces list
evaluate first --threshold 0.3 --positive REAL, evaluate --predictions results/first/best/predictions.csv
evaluate first --data demo --limit 200, evaluate first three --data demo --limit 200, predict first cifake.zip
evaluate first --data demo --limit 50 --robustness, predict first cifake.zip --threshold 0.4, data show demo
data show cifake.zip --image-size 16, spaces show cnn, spaces show vit --classes 5, spaces check my_space.py
"""
OTHERS = """
report first, report resnet --out page.html, report first --png pictures, importance first --png importance
compare first three --png compared.png, evaluate first --out out, resume first, retry first, search --dry-run
best first --export exported.keras, best first --export exported.onnx, best first --export exported.tflite
best first --export exported, best first --export calibrated.keras --calibrated
predict exported cifake.zip --trust, predict exported.keras cifake.zip
predict exported.onnx cifake.zip, predict exported.tflite cifake.zip
evaluate first three --data demo --limit 200 --out both, search --space resnet --dry-run, best --top 0
evaluate first --data demo --limit 50 --robustness --out tested, search --max-trials 0, leaderboard nothing
search --space cnn --algorithm asha --max-trials 9 --dry-run, evaluate nothing.keras, predict first none.jpg
--help, search --help, train --help, resume --help, retry --help, leaderboard --help, best --help
evaluate --help, predict --help, report --help, compare --help, dashboard --help, importance --help
runs --help, doctor --help, spaces --help, spaces list --help, spaces show --help, spaces check --help
spaces copy --help, data --help, data show --help, data fetch --help
"""
TEXTS = ("json", "jsonl", "csv", "toml", "html", "md", "table", "options")
NUMBER = re.compile(r"\d[\d,]*\.?\d*(?:e[+-]?\d+)?")
PICTURE = re.compile(r"data:image/[^\"')]+")
START_TIME = re.compile(r"\d{8}-\d{6}")


@dataclass(frozen=True)
class Side:
    """A checkout, and the folder that its commands run in."""

    checkout: Path
    folder: Path

    def python(self, *words: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        """Run Python on the checkout."""
        own = {f"TUNER_{name.upper()}_DIR": f"{self.folder}-{name}" for name in ("cache", "state")}
        paths = {**own, "PYTHONPATH": str(self.checkout)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
        environment = kept | variables | paths | {"COLUMNS": "200"}
        return subprocess.run([sys.executable, *words], cwd=self.folder, env=environment, capture_output=True)

    def run(self, line: str, makes: bool) -> dict[str, Any]:
        """Run a line that starts with `tuner`; return the exit code, stdout, and the files that it wrote."""
        before = self._files()
        done = self.python("-m", *shlex.split(line), **(SMALL if makes else {}))
        changed = [path for path, state in self._files().items() if before.get(path) != state]
        names = (START_TIME.sub("", str(path.relative_to(self.folder))) for path in changed)
        contents = (self._parsed(path.read_bytes(), path.suffix[1:]) for path in changed)
        form = "options" if "--help" in line else (re.findall(r"--format (\w+)", line) or ["table"])[0]
        # The plan of a search goes to stderr.
        text = done.stdout + (done.stderr if "--dry-run" in line else b"")
        printed = {} if makes else {"output": self._parsed(text, form)}
        return {"exit code": done.returncode, "files": dict(zip(names, contents, strict=True)), **printed}

    def _files(self) -> dict[Path, int]:
        # SQLite leaves its journal or not, as the last reader closes it.
        files = (path for path in self.folder.rglob("*") if path.is_file() and "-wal" not in path.suffix)
        return {path: path.stat().st_mtime_ns for path in files if "-shm" not in path.suffix}

    def _parsed(self, content: bytes, form: str) -> Any:
        """JSON, TOML and CSV as values, a help text as its options, other texts as their figures."""
        if form not in TEXTS:
            return "written"
        text = START_TIME.sub("", re.sub(rf"{self.folder.parent}/\d", ".", content.decode()))
        with suppress(ValueError):
            if form in ("json", "jsonl"):
                return [json.loads(part) for part in (text.splitlines() if form == "jsonl" else [text])]
            if form == "toml":
                return tomllib.loads(text)
            if form == "csv":
                table = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
                return {"columns": list(table), **table.to_dict("list")}
        if form == "options":
            return sorted(set(re.findall(r"--[a-z][\w-]*", text)))
        return [float(x.replace(",", "")) for x in NUMBER.findall(PICTURE.sub("", html.unescape(text)))]


def differences(before: Any, after: Any, left_out: set[str], place: str) -> Iterator[str]:
    """Name the places where two values differ; numbers may differ by 1e-9 of their size."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after} - left_out):
            if name in before and name in after:
                yield from differences(before[name], after[name], left_out, f"{place}/{name}")
            else:
                yield f"{place}/{name} only {'before' if name in before else 'after'}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, pair in enumerate(zip(before, after, strict=True)):
            yield from differences(*pair, left_out, f"{place}/{i}")
    elif isinstance(before, float | int) and isinstance(after, float | int):
        if not (math.isclose(before, after, rel_tol=1e-9) or (math.isnan(before) and math.isnan(after))):
            yield f"{place}: {before!r}, {after!r}"
    elif before != after:
        yield f"{place}: {str(before)[:120]!r}, {str(after)[:120]!r}"


def compare(sides: list[Side], line: str, makes: bool) -> bool:
    """Run a line on both sides at once and print whether it does the same."""
    with ThreadPoolExecutor() as pool:
        before, after = pool.map(lambda side: side.run(line, makes), sides)
    left_out = TIMES | OF_THE_CHECKOUT if MAKES.search(line) else set()
    found = list(differences(before, after, left_out, ""))
    head = f"{'DIFFERENT' if found else 'equal':9}  {line}  (exit {before['exit code']})"
    print(head, *found[:5], sep="\n    ", flush=True)
    return not found


def readme_lines(checkout: Path) -> list[str]:
    """Return the commands of `tuner` that the README shows, made smaller where they train."""
    blocks = re.findall(r"```sh\n(.*?)```", (checkout / "README.md").read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r" *#.*", "", "".join(blocks))
    for shown, smaller in SMALLER.items():
        text = text.replace(shown, smaller)
    return [line for line in text.splitlines() if line.startswith("tuner ")]


def split(text: str) -> list[str]:
    return [f"tuner {line}" for line in re.split(r", |\n", text.strip())]


def prepare(side: Side) -> None:
    """Fill the folder of a side with the files that the README names."""
    side.folder.mkdir()
    found = side.python("-c", "import tuner; print(tuner.__file__)").stdout.decode().strip()
    if not Path(found).is_relative_to(side.checkout):
        sys.exit(f"{side.checkout}: Python imports '{found}' instead. Uninstall that package.")
    shutil.copy(side.checkout / "examples/my_space.py", side.folder)
    (side.folder / "search.toml").write_text("max_trials = 2\nmax_epochs = 1\n", encoding="utf-8")
    demo = (side.checkout / "tuner/sources/demo.zip.xz").read_bytes()
    (side.folder / "cifake.zip").write_bytes(lzma.decompress(demo))


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as base:
        sides = [Side(Path(name).resolve(), Path(base, str(i))) for i, name in enumerate(sys.argv[1:])]
        for side in sides:
            prepare(side)
        readme = readme_lines(sides[0].checkout)
        equal = [compare(sides, line, True) for line in [*split(MADE), *filter(MAKES.search, readme)]]
        shutil.rmtree(sides[1].folder / "results")
        shutil.copytree(sides[0].folder / "results", sides[1].folder / "results")
        looked_up = [line for line in readme if not MAKES.search(line)]
        for line in split(LISTINGS):
            forms = FORMATS.get(line.split()[1], ("table", "json", "csv"))
            looked_up += [f"{line} --format {form}" for form in forms]
        equal += [compare(sides, line, False) for line in looked_up + split(OTHERS)]
    print(f"{len(equal)} commands, {equal.count(False)} different")
    sys.exit(not all(equal))


if __name__ == "__main__":
    main()
