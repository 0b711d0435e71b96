"""Every column and file name of a run, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

SCHEMA_VERSION = 4

STORE_FILE = "run.sqlite"
BACKUP_FILE = "run.sqlite.bak"
TRIALS_FILE = "trials.csv"
EPOCHS_FILE = "epochs.csv"
RUN_FILE = "run.json"
CONFIG_FILE = "config.toml"
WORKER_LOG = "worker.log"
CHECKPOINTS = "checkpoints"
ERRORS = "errors"
TENSORBOARD = "tensorboard"
BEST = "best"
MODEL_FILE = "model.keras"
HYPERPARAMETERS_FILE = "hyperparameters.json"
EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "predictions.csv"
VALIDATION_PREDICTIONS_FILE = "validation_predictions.csv"
CONFUSION_FILE = "confusion_matrix.png"
CONFUSION_TABLE = "confusion_matrix.csv"
CURVES_FILE = "learning_curves.png"
GALLERY_FILE = "gallery.npz"
ROBUSTNESS_FILE = "robustness.json"
ROBUSTNESS_TABLE = "robustness.csv"
ROBUSTNESS_PLOT = "robustness.png"
ROBUSTNESS_FILES = (ROBUSTNESS_FILE, ROBUSTNESS_TABLE, ROBUSTNESS_PLOT)
REPORT_FILE = "report.html"
# What is made of the best trials afterwards.
RETRAINED = "retrained"
SUMMARY_FILE = "summary.json"
SEED_PREFIX = "seed-"
CHECKPOINT = "checkpoint"
ENSEMBLE_PREFIX = "ensemble-"

# Facts of a run. Plain properties, such as brightness, that separate the classes of its data:
SHORTCUTS = "shortcuts"
# Number and values of the next configuration, where it is settled before the trial under way has ended:
SETTLED = "settled"
# Names of those of its hyperparameters that belong to the training, not to the model:
TRAINING = "training"
# Names of hyperparameters that only a trial brought into the space, and with which it was extended:
LATE = "late"
# Sentences about the space that its user reads before the search:
SPACE_NOTES = "space_notes"
# Conditions under which its trials train; None where no other run may reuse them:
CONDITIONS = "conditions"
# A hash of each file of its search space:
CODE = "code"
# Proof that this user made the run; None where no key can be kept:
SIGNATURE = "signature"
# Each acceptance of changed code: its time, the files, the number of trials before it, its use:
ACCEPTED_CODE = "accepted_code"
# Seconds of each step of the command:
TIMINGS = "timings"

HP_PREFIX = "hp."

# The columns of trials.csv with their dtypes, in their order; then the metrics at the best epoch, by name as
# Keras logs them, float64; then the hyperparameters behind HP_PREFIX. Int64 may be missing, int64 never is.
TRIAL_DTYPES = {
    "trial_id": "str",
    "status": "str",
    "score": "float64",
    "objective": "str",
    "best_epoch": "Int64",
    "epochs": "int64",
    "known_epochs": "int64",
    "rung": "int64",
    "bracket": "int64",
    "duration_s": "float64",
    "images_per_s": "float64",
    "num_params": "Int64",
    "batch_size": "int64",
    "seed": "int64",
    "started_at": "str",
    "error": "str",
}
TRIAL_COLUMNS = tuple(TRIAL_DTYPES)
# The dtype of hyperparameters whose values are, in the words of pandas, all of one kind.
VALUE_DTYPES = {"boolean": "boolean", "integer": "Int64", "floating": "float64", "string": "str"}
EPOCH_DTYPES = {"trial_id": "str", "rung": "int64", "epoch": "int64", "metric": "str", "value": "float64"}
EPOCH_COLUMNS = tuple(EPOCH_DTYPES)

# Keras Tuner's words; STOPPED is a trial cut short by the end of the time.
RUNNING, COMPLETED, FAILED, STOPPED = "RUNNING", "COMPLETED", "FAILED", "STOPPED"
# Of a run while a driver works on it, and once it was stopped, or killed before it could say so.
RUN_RUNNING, INTERRUPTED = "running", "interrupted"


@dataclass(frozen=True)
class TrialRecord:
    """One configuration and what is known of it. Epochs count from 1, rungs and brackets from 0.

    `metrics` are those of the best epoch, validation under `val_`; `duration_s` is the worker's time on all
    rungs; `train_s` the part of it in training steps over `images` images. `attempts` counts how often the
    epoch under way was begun; a trial that ends its process each time must not be begun for ever.
    `known_epochs` counts the epochs that were taken from an earlier run.
    """

    trial_id: str
    values: dict[str, Any]
    status: str
    bracket: int
    rung: int
    seed: int
    batch_size: int
    started_at: str
    score: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    duration_s: float = 0.0
    train_s: float = 0.0
    images: int = 0
    num_params: int | None = None
    attempts: int = 0
    known_epochs: int = 0
    error: str = ""
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def images_per_s(self) -> float | None:
        """Training images a second, in training steps alone."""
        return self.images / self.train_s if self.train_s else None


class EpochRecord(NamedTuple):
    """One metric of one epoch, in the order of EPOCH_COLUMNS."""

    trial_id: str
    rung: int
    epoch: int
    metric: str
    value: float | None
