"""All attacks on a run, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.damage.hostile_runs import (
    TRIAL,
    WINNER,
    Attack,
    code_attack,
    column_attack,
    contents_attack,
    fact_attack,
    id_attack,
    link_attack,
    missing_fact_attack,
    part_attack,
    schema_attack,
    special_attack,
    text_attack,
)
from tuner.results.schema import (
    BACKUP_FILE,
    BEST,
    CHECKPOINTS,
    COMPLETED,
    CONFIG_FILE,
    CONFUSION_TABLE,
    ENSEMBLE_PREFIX,
    EPOCHS_FILE,
    ERRORS,
    EVALUATION_FILE,
    FAILED,
    GALLERY_FILE,
    HYPERPARAMETERS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    REPORT_FILE,
    RETRAINED,
    ROBUSTNESS_FILE,
    RUN_FILE,
    STORE_FILE,
    SUMMARY_FILE,
    TRIALS_FILE,
    WORKER_LOG,
)
from tuner.training.checkpoint import BEST_FILE, STATE_FILE


def _named(attack: Callable[..., None], name: str, *arguments: Any, **options: Any) -> dict[str, Attack]:
    def act(run: Path, victim: Path) -> None:
        attack(run, victim, *arguments, **options)

    return {name: act}


PATH_IDS = ("{up}/trial", "{victim}/trial", "../checkpoints/{up}/trial", "0/../{up}/trial", "{up}")
ODD_IDS = (
    "",
    ".",
    "..",
    "/",
    "0/..",
    "a\0b",
    "٠٠٠٢",
    "9" * 5000,
    "0002\n",
    " 2",
    "-1",
    2,
    b"0002",
    "0x2",
    "~",
)
LINKS = (
    *(STORE_FILE, BACKUP_FILE, f"{STORE_FILE}-wal", TRIALS_FILE, EPOCHS_FILE, RUN_FILE, CONFIG_FILE),
    *(WORKER_LOG, REPORT_FILE, "run.lock", "draft-file", "draft-folder", ERRORS, "tensorboard"),
    *(
        CHECKPOINTS,
        f"{CHECKPOINTS}/{WINNER}",
        f"{CHECKPOINTS}/{WINNER}/{BEST_FILE}",
        f"{CHECKPOINTS}/{TRIAL}",
    ),
    *(BEST, f"{BEST}/{MODEL_FILE}", f"{BEST}/{EVALUATION_FILE}", f"{BEST}/{PREDICTIONS_FILE}"),
    *(f"{BEST}/{GALLERY_FILE}", f"{BEST}/{ROBUSTNESS_FILE}", f"{BEST}/{CONFUSION_TABLE}"),
    *(RETRAINED, f"{RETRAINED}/{SUMMARY_FILE}", f"{ENSEMBLE_PREFIX}2", f"{ENSEMBLE_PREFIX}3"),
    f"{ENSEMBLE_PREFIX}2/{EVALUATION_FILE}",
)
SPECIAL = (
    *(STORE_FILE, f"{STORE_FILE}-wal", BACKUP_FILE, "run.lock", f"{BEST}/{EVALUATION_FILE}"),
    *(f"{BEST}/{MODEL_FILE}", WORKER_LOG, CONFIG_FILE, f"{CHECKPOINTS}/{WINNER}/{STATE_FILE}", "draft-x"),
)
ENDLESS = (
    "ALTER TABLE trials RENAME TO other",
    "CREATE VIEW trials AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT other.* FROM other, n WHERE i < 0",
)

# What must not leave the folder: ids that are paths, code, links, pipes.
GRAVE: dict[str, Attack] = {
    name: attack
    for each in (
        *(
            _named(id_attack, f"id {text} {status}", text, status)
            for text in PATH_IDS
            for status in (FAILED, COMPLETED)
        ),
        *(_named(link_attack, f"link {name}", name) for name in LINKS),
        *(_named(special_attack, f"pipe {name}", name) for name in SPECIAL),
        *(
            _named(code_attack, f"code {space}", space)
            for space in ("{run}/evil.py", "{victim}/evil.py", "evil.py", "evil:build", "{run}/evil.py:build")
        ),
        _named(fact_attack, "storage", "config.storage", "{victim}"),
        _named(fact_attack, "results_dir", "config.results_dir", "{victim}"),
        _named(
            fact_attack, "hashes of a victim's file", "code", {"{victim}/secret.txt": "0", "evil.py": "0"}
        ),
        _named(fact_attack, "weights", "config.weights", "{victim}/secret.txt"),
        _named(fact_attack, "run_id", "run_id", "../../victim"),
    )
    for name, attack in each.items()
}

DEEP = "[" * 100_000
TEXTS = {
    "deep": DEEP,
    "list": "[]",
    "null": "null",
    "number": "1e999",
    "nan": "NaN",
    "large": "1" + "0" * 400,
    "digits": "1" * 10_000,
    "twice": '{"trial_id": "0001", "trial_id": "../x"}',
    "half": '{"trial_id"',
    "empty": "",
    "surrogate": '{"trial_id": "\\ud800"}',
    "long": json.dumps({"trial_id": "x" * 1_000_000}),
}
FACTS: dict[str, tuple[Any, ...]] = {
    "run_id": ("\x1b[31m", 5),
    "space": (5, "x" * 100_000),
    "direction": ("sideways", 5, None),
    "objective": ("../../x", [], ""),
    "status": ([], "x", {}),
    "started_at": ("", 5, [], "9999-99-99", "\x1b]0;x\x07"),
    "versions": ([], {"keras": []}, "x"),
    "hyperparameters": ([], {"space": [{"class_name": "os.system", "config": "x"}]}, {"space": 5}),
    "initial": ("x", [5], {}),
    "code": ([], {"/etc/passwd": 5}, "x"),
    "conditions": ("x", [], 5),
    "seed": (-1, 10**400, "x", None),
    "settled": ("x", [1], [1, 2]),
    "late": (5, [[]]),
    "shortcuts": ("x", [5], [{}]),
    "timings": ([], {"loading_s": "x"}),
    "space_notes": (5, [5]),
    "dataset": (5, "../../x"),
    "data": ([], {}, "x"),
    "data.source": (5, [], "\0", "~/x", "x" * 100_000),
    "data.class_names": ([], ["a"], [["a"], ["b"]], {"a": 1}, ["../../x", "y"], ["a", "a"]),
    "data.image_shape": ([10**9, 10**9, 3], [-1, 0, 3], "8", [8, 8]),
    "data.counts": ([], {"train": 5}, {"../x": {}}),
    "data.positive_class": (5, "other", []),
    "config": ([], {}, "x", {"other": 5}),
    "config.max_trials": (10**400, -5, "x"),
    "config.workers": (10**6, "x"),
    "config.algorithm": ("os", 5),
    "config.data": (5, "\0", "https://127.0.0.1:9/x.zip"),
    "spent_s": ("x", -1, 10**400),
    "accepted_code": ("x", [5]),
    "default_num_params": ("x", -1),
}
COLUMNS: dict[str, tuple[object, ...]] = {
    "hyperparameters": ("[]", "5", DEEP, '{"filters": [5]}', '{"filters": "x"}', '{"../x": 1e999}', ""),
    "status": ("EVIL", 5, ""),
    "score": ("x", 9e999, b"x"),
    "best_epoch": (10**15, -1, "x"),
    "epochs": (-5, 2**62, "x"),
    "rung": (10**9, "x"),
    "bracket": (-1, "x"),
    "seed": (-1, "x"),
    "batch_size": (0, -1, 2**62),
    "num_params": (-1, "x"),
    "duration_s": ("x", 9e999),
    "train_s": (-1.0, "x"),
    "images": (-1, "x"),
    "started_at": ("x", 5),
    "error": (5, "\x1b[31m", b"x"),
}
OF_FILES = {"deep", "list", "number", "half", "surrogate"}
JSON_FILES = (
    *(f"{BEST}/{EVALUATION_FILE}", f"{BEST}/{HYPERPARAMETERS_FILE}", f"{BEST}/{ROBUSTNESS_FILE}"),
    *(f"{RETRAINED}/{SUMMARY_FILE}", f"{RETRAINED}/{WINNER}/seed-7/{EVALUATION_FILE}", RUN_FILE),
    *(f"{ENSEMBLE_PREFIX}2/{EVALUATION_FILE}", CONFIG_FILE),
)
PARTS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    (f"{BEST}/{EVALUATION_FILE}", "trial_id", ("../../x", 5, None, "9999")),
    (f"{BEST}/{EVALUATION_FILE}", "class_names", ([], 5, ["a"])),
    (f"{BEST}/{EVALUATION_FILE}", "confusion_matrix", ([], [[1], [2, 3]], "x", [[-1, 0], [0, 10**400]])),
    (f"{BEST}/{EVALUATION_FILE}", "accuracy", (10**400, "x", -1)),
    (f"{RETRAINED}/{SUMMARY_FILE}", "trials.0.seeds.0.folder", ("../../../victim", "{victim}/trial", 5)),
    (f"{RETRAINED}/{SUMMARY_FILE}", "trials.0.trial_id", ("../../x", 5)),
    (f"{ENSEMBLE_PREFIX}2/{EVALUATION_FILE}", "members.0.trial_id", ("../../x", 5)),
)
SCHEMAS: dict[str, tuple[str, ...]] = {
    "version 0": ("PRAGMA user_version = 0",),
    "version -1": ("PRAGMA user_version = -1",),
    "endless view": ENDLESS,
    "no epochs": ("DROP TABLE epochs",),
    "no run": ("DROP TABLE run",),
    "other columns": ("ALTER TABLE trials RENAME COLUMN score TO other",),
    "one more column": ("ALTER TABLE trials ADD COLUMN other TEXT",),
    "trigger": ("CREATE TRIGGER evil AFTER UPDATE ON run BEGIN DELETE FROM trials; END",),
    "empty": ("PRAGMA foreign_keys = OFF", "DELETE FROM trials"),
}

# What must be refused in one line, or do no harm.
ODD: dict[str, Attack] = {
    name: attack
    for each in (
        *(_named(id_attack, f"id {str(text)[:20]!r} {type(text).__name__}", text) for text in ODD_IDS),
        *(
            _named(fact_attack, f"fact {where} = {str(value)[:24]!r}", where, value)
            for where, values in FACTS.items()
            for value in values
        ),
        *(
            _named(text_attack, f"fact {key}: {name}", key, text)
            for key in ("config", "data", "status", "settled", "other")
            for name, text in TEXTS.items()
        ),
        *(
            _named(missing_fact_attack, f"no fact {key}", key)
            for key in ("run_id", "config", "data", "status", "direction", "objective", "started_at", "space")
        ),
        *(
            _named(column_attack, f"column {name} = {str(value)[:24]!r}", name, value)
            for name, values in COLUMNS.items()
            for value in values
        ),
        *(
            _named(column_attack, f"epochs {name} = {value!r}", name, value, table="epochs")
            for name, value in (("metric", "../../x"), ("metric", 5), ("value", "x"), ("epoch", 10**9))
        ),
        *(_named(schema_attack, f"tables: {name}", *lines) for name, lines in SCHEMAS.items()),
        *(
            _named(contents_attack, f"{name}: {kind}", name, text)
            for name in JSON_FILES
            for kind, text in TEXTS.items()
            if kind in OF_FILES
        ),
        *(
            _named(part_attack, f"{name}: {where} = {str(value)[:24]!r}", name, where, value)
            for name, where, values in PARTS
            for value in values
        ),
        *(_named(special_attack, f"device {name}", name, device=True) for name in SPECIAL),
    )
    for name, attack in each.items()
}
