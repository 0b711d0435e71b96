"""What `tuner best --retrain` leaves in the run results/first."""

import json
from pathlib import Path
from typing import Any

RUN = Path("results/first")


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RUN / "retrained" / "summary.json").read_text("utf-8"))
    return found


def seed_folder(folder: Path, seed: int) -> Path:
    (trial,) = (path for path in (folder / RUN / "retrained").iterdir() if path.is_dir())
    return trial / f"seed-{seed}"
