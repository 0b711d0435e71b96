"""What a peer is asked to do, as a JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PeerTask:
    """Images, space and budget of one peer.

    `folder` holds train/<class>/ and validation/<class>/; `arrays` is an .npz of the same images: x_train,
    y_train, x_validation, y_validation. `started_at` is time.time() just before the process is started.
    """

    folder: str
    arrays: str
    image_shape: tuple[int, int, int]
    num_classes: int
    num_train: int
    epochs: int
    batch_size: int
    started_at: float
    configurations: tuple[dict[str, Any], ...] = ()
    """Configurations to train, in this order; empty where the peer chooses them itself."""
    seed: int = 0
    log: str = ""
    """Where each finished epoch is noted as a line of JSON; empty for nowhere."""

    def write(self, path: Path) -> Path:
        """Write the task to a file and return its path."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path


def read_task(path: str) -> PeerTask:
    """Return the task in a file."""
    values = json.loads(Path(path).read_text("utf-8"))
    values["image_shape"] = tuple(values["image_shape"])
    values["configurations"] = tuple(values["configurations"])
    return PeerTask(**values)
