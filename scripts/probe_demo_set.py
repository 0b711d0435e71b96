"""Checks that the built-in demo set is fair: no side channel gives it away, and it is neither easy nor hard.

It prints a table. Three probes see no pixels in place (file size; mean colour; JPEG tables and header), one
sees all of these together; each should be near chance. The default `sequential` model should land in the
middle of its range.

    python scripts/probe_demo_set.py
"""

from __future__ import annotations

import argparse
import io
import lzma
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIZE_LIMIT = 4 * 1024 * 1024
PROBE_ACCURACY, PROBE_AUROC = 0.60, 0.62
"""The most a probe may score."""
MODEL_RANGE = (0.75, 0.97)
"""What every seed of the `sequential` model must score on the test split."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """One split of the set.

    Attributes:
        files: JPEG files.
        pictures: Their pixels, count x 32 x 32 x 3.
        labels: 1 for REAL, 0 for FAKE.
    """

    files: list[bytes]
    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def read_split(archive: zipfile.ZipFile, split: str) -> Split:
    """Reads a split, in the order of the file names, FAKE first."""
    names = sorted(name for name in archive.namelist() if name.startswith(f"{split}/"))
    files = [archive.read(name) for name in names]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])
    return Split(files, pictures, np.array([int("/REAL/" in name) for name in names], dtype=np.int64))


def header(file: bytes) -> bytes:
    """All of a JPEG before its entropy-coded data: markers, dimensions, tables."""
    scan = file.index(b"\xff\xda")
    return file[: scan + 2 + int.from_bytes(file[scan + 2 : scan + 4], "big")]


def features(split: Split, headers: list[bytes]) -> dict[str, Floats]:
    """What each probe may see.

    Args:
        split: The files and their pictures.
        headers: The distinct headers of the whole set; a picture's feature is its header's index.

    Returns:
        Features by probe.
    """
    size = np.array([[len(file)] for file in split.files], dtype=np.float64)
    colour = split.pictures.astype(np.float64).mean(axis=(1, 2))
    tables = np.array([[headers.index(header(file))] for file in split.files], dtype=np.float64)
    together = np.concatenate([size, colour, tables], axis=1)
    return {"file size": size, "mean colour": colour, "JPEG header": tables, "all three": together}


def run_probes(train: Split, test: Split) -> list[tuple[str, float, float]]:
    """Fits two classifiers on each probe's features.

    Returns:
        Name, test accuracy and test AUROC of each.
    """
    headers = sorted({header(file) for file in train.files + test.files})
    print(f"{len(headers)} distinct JPEG header(s) in {len(train.files) + len(test.files)} files")
    seen, unseen = features(train, headers), features(test, headers)
    rows = []
    for name in seen:
        boosting = HistGradientBoostingClassifier(random_state=0)
        logistic = make_pipeline(StandardScaler(), LogisticRegression())
        for kind, model in (("boosting", boosting), ("logistic", logistic)):
            scores = model.fit(seen[name], train.labels).predict_proba(unseen[name])[:, 1]
            accuracy = float(((scores > 0.5) == test.labels).mean())
            rows.append((f"{name}, {kind}", accuracy, float(roc_auc_score(test.labels, scores))))
    return rows


def build_sequential() -> keras.Model:
    """The default `sequential` model."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(60, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
            layers.Dense(500, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def score_sequential(train: Split, test: Split, seed: int, epochs: int) -> tuple[str, float, float]:
    """Trains the `sequential` model and scores its best validation epoch on the test split."""
    keras.utils.set_random_seed(seed)
    order = np.random.default_rng(seed).permutation(len(train.labels))
    held_out, used = np.split(order, [len(order) // 5])
    model, best, weights = build_sequential(), 0.0, None
    for _ in range(epochs):
        model.fit(train.pictures[used], train.labels[used], batch_size=64, verbose=0)
        _, accuracy = model.evaluate(train.pictures[held_out], train.labels[held_out], verbose=0)
        if accuracy > best:
            best, weights = accuracy, model.get_weights()
    if weights is not None:
        model.set_weights(weights)
    scores = model.predict(test.pictures, verbose=0)[:, 0]
    accuracy = float(((scores > 0.5) == test.labels).mean())
    name = f"sequential, seed {seed} (validation {best:.3f})"
    return name, accuracy, float(roc_auc_score(test.labels, scores))


def report(rows: list[tuple[str, float, float]]) -> None:
    """Prints a table of scores."""
    print(f"{'on the test split':<40} {'accuracy':>9} {'AUROC':>7}")
    for name, accuracy, auroc in rows:
        print(f"{name:<40} {accuracy:>9.3f} {auroc:>7.3f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the set.

    Args:
        arguments: The command line; by default that of the process.

    Returns:
        0 when everything is within its bounds, else 1.
    """
    parser = argparse.ArgumentParser(description="Check that the demo set is fair.")
    parser.add_argument("zip", type=Path, nargs="?", default=Path("tuner/sources/demo.zip.xz"))
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds of the sequential model")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args(arguments)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    with lzma.open(options.zip) as packed, zipfile.ZipFile(io.BytesIO(packed.read())) as archive:
        train, test = read_split(archive, "train"), read_split(archive, "test")
    size = options.zip.stat().st_size
    repeats = len(train.files) + len(test.files) - len(set(train.files + test.files))
    print(f"{options.zip.name}: {size} bytes; {repeats} repeated file(s)")
    probes = run_probes(train, test)
    models = [score_sequential(train, test, seed, options.epochs) for seed in range(options.seeds)]
    report(probes + models)
    fair = all(accuracy <= PROBE_ACCURACY and auroc <= PROBE_AUROC for _, accuracy, auroc in probes)
    within = all(MODEL_RANGE[0] <= accuracy <= MODEL_RANGE[1] for _, accuracy, _ in models)
    return 0 if fair and within and size <= SIZE_LIMIT and repeats == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
