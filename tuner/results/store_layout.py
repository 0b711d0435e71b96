"""The tables of a run's store, and what brings those of an older version up to date."""

from __future__ import annotations

# What each epoch took, and when in the run it ended.
_COSTS = """
CREATE TABLE costs (
    trial_id TEXT NOT NULL REFERENCES trials, epoch INTEGER NOT NULL, duration_s REAL NOT NULL,
    train_s REAL NOT NULL, images INTEGER NOT NULL, spent_s REAL NOT NULL,
    PRIMARY KEY (trial_id, epoch)
) WITHOUT ROWID;
"""
SCHEMA_SQL = f"""
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    trial_id TEXT PRIMARY KEY, hyperparameters TEXT NOT NULL, status TEXT NOT NULL,
    bracket INTEGER NOT NULL, rung INTEGER NOT NULL, seed INTEGER NOT NULL, batch_size INTEGER NOT NULL,
    attempts INTEGER NOT NULL, started_at TEXT NOT NULL, score REAL,
    best_epoch INTEGER, epochs INTEGER NOT NULL, duration_s REAL NOT NULL,
    train_s REAL NOT NULL, images INTEGER NOT NULL, num_params INTEGER, error TEXT NOT NULL,
    known_epochs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE rungs (
    trial_id TEXT NOT NULL REFERENCES trials, rung INTEGER NOT NULL, status TEXT NOT NULL, score REAL,
    PRIMARY KEY (trial_id, rung)
) WITHOUT ROWID;
CREATE TABLE epochs (
    trial_id TEXT NOT NULL REFERENCES trials, epoch INTEGER NOT NULL, metric TEXT NOT NULL,
    rung INTEGER NOT NULL, value REAL, PRIMARY KEY (trial_id, epoch, metric)
) WITHOUT ROWID;
{_COSTS}"""
# What brings a store of version N to version N + 1. Runs of version 1 all trained with the batch size of
# their request.
MIGRATIONS = {
    1: """
ALTER TABLE trials ADD COLUMN batch_size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trials ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
UPDATE trials SET batch_size = (SELECT json_extract(value, '$.batch_size') FROM run WHERE key = 'config');
""",
    2: f"ALTER TABLE trials ADD COLUMN known_epochs INTEGER NOT NULL DEFAULT 0; {_COSTS}",
}
