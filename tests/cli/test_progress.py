"""The live part of a search's display, without a search."""

import io

import pytest
from rich.console import Console

from tuner.cli.search_display import _State
from tuner.config import make_config
from tuner.tuning.events import SearchStarted, TrialStarted
from tuner.tuning.oracles import make_plan


def shown(place: str, columns: int) -> list[str]:
    """The lines of a display of two trials."""
    config = make_config({"max_trials": 20, "max_epochs": 100})
    state = _State(SearchStarted(config, make_plan(config), 1000, [], []))
    for trial_id in ("0001", "0002"):
        state.take(TrialStarted(trial_id, 0, 0, 0, 100, {}, place))
        state._under_way[trial_id].score = 0.5
    output = io.StringIO()
    Console(file=output, width=columns).print(state.render())
    return output.getvalue().splitlines()


@pytest.mark.parametrize("columns", [80, 120])
def test_a_line_tells_trial_epoch_score_and_place(columns: int) -> None:
    for line, trial_id in zip(shown("worker 12 on node-7", columns)[1:], ("0001", "0002"), strict=True):
        for part in (f"{trial_id} epoch 1 of 100", "0%", "val_accuracy 0.5000", "worker 12 on node-7"):
            assert part in line


def test_only_a_long_name_of_a_node_is_cut() -> None:
    line = shown("worker 12 on ip-10-0-123-213.eu-west-1.compute.internal", 80)[1]
    for part in ("0001 epoch 1 of 100", "0%", "val_accuracy 0.5000", "worker 12 on ip-10"):
        assert part in line
    assert len(line) <= 80
