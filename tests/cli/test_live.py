"""Displays that move, on a terminal of a test."""

import io

import pytest
from rich.console import Console

from tests.results.records import record
from tuner.cli import progress, retrain
from tuner.cli.session_display import session_display
from tuner.evaluation.retrained_model import RetrainingStarted
from tuner.evaluation.retraining import Measured, SeededTrial
from tuner.results.run_folder import RunFolder
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone, StepsDone
from tuner.tuning.events import Busy, BusyEnded, Progress


@pytest.fixture
def terminal(monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    for module in (progress, retrain):
        monkeypatch.setattr(module, "stderr", lambda: console)
    return console


def test_listing_has_a_number_decoding_a_bar_and_loading_a_sign(terminal):
    with session_display() as listen:
        listen(Busy("reading the images"))
        listen(Progress("decoding images", 12_000, 0))
        for done in range(1, 5):
            listen(Progress("decoding images", done, 4))
        listen(BusyEnded())
        listen(Busy("loading Keras"))
        listen(BusyEnded())
    shown = terminal.file.getvalue()
    for part in (
        "reading the images ...",
        "12,000 files listed",
        "decoding images",
        "4/4",
        "loading Keras ...",
    ):
        assert part in shown


def test_a_retraining_shows_its_models_and_each_that_is_measured(terminal, tmp_path):
    wanted = [
        SeededTrial(
            record("0001"),
            seed,
            2,
            tmp_path / f"seed-{seed}",
            RunFolder(tmp_path, tmp_path),
            tmp_path / f"checkpoint-{seed}",
        )
        for seed in (7, 8)
    ]
    evaluation = {"accuracy": 0.875, "epochs": 2, "planned_epochs": 2, "duration_s": 3.0}
    with retrain.retraining_display() as show:
        show(RetrainingStarted(wanted))
        show(StepsDone("0001 seed 7", 1, 5, 10))
        show(EpochDone("0001 seed 7", 0, 1, Epoch({}, 1.0, 0.5, 50)))
        show(StepsDone("0001 seed 7", 2, 10, 10))
        show(Measured(wanted[0], evaluation))
    shown = terminal.file.getvalue()
    parts = ("training models", "[1/2] trial 0001 seed 7", "0.8750")
    assert [part for part in parts if part not in shown] == []
