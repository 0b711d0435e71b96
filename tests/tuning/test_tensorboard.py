"""What TensorBoard itself reads of a search."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler

from tests.results.records import FACTS, record
from tuner.results.schema import FAILED, RUNNING, STORE_FILE
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone
from tuner.tuning.events import RungEnded, TrialStarted
from tuner.tuning.tensorboard import TensorBoard

VALUES = {"units": 32, "learning_rate": 1e-3, "activation": "relu", "flip": True}


@pytest.fixture
def store(tmp_path):
    store = Store.create(tmp_path / STORE_FILE, FACTS)
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tensorboard"


def epoch_of(accuracy):
    return Epoch({"accuracy": accuracy, "loss": 1.0, "val_accuracy": accuracy - 0.1}, 2.0, 1.5, 50)


def start(board, trial_id="0001"):
    board(TrialStarted(trial_id, 0, 0, 0, 3, VALUES))


def train(board, accuracies, trial_id="0001", first=1):
    for number, accuracy in enumerate(accuracies, start=first):
        board(EpochDone(trial_id, 0, number, epoch_of(accuracy)))


def end(board, trial_id="0001", **facts):
    given = {"values": VALUES, "score": 0.5, "epochs": 3, **facts}
    board(RungEnded(record(trial_id, **given), 0, True))


def scalars(folder, run, tag):
    """Step and value of each event that TensorBoard reads."""
    found = EventAccumulator(str(folder / run)).Reload().Scalars(tag)
    return [(event.step, pytest.approx(event.value)) for event in found]


def sessions(folder):
    """Trials by name, as the HParams plugin lists them."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    context = Context(SimpleNamespace(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    request = api_pb2.ListSessionGroupsRequest(
        slice_size=100,
        allowed_statuses=api_pb2.Status.values(),
        include_metrics=True,
        col_params=[
            {"metric": {"group": group, "tag": tag}}
            for group, tag in (("", "Score"), ("validation", "accuracy"))
        ],
    )
    found = Handler(RequestContext(), context, "", request).run()
    return {group.name: group for group in found.session_groups}


def test_each_metric_of_each_epoch_is_a_scalar(store, folder):
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.5, 0.75])
        assert scalars(folder, "0001/train", "accuracy") == [(1, 0.5), (2, 0.75)]
        assert scalars(folder, "0001/train", "loss") == [(1, 1.0), (2, 1.0)]
        assert scalars(folder, "0001/validation", "accuracy") == [(1, 0.4), (2, 0.65)]


def test_hparams_lists_each_trial_with_its_values_and_score(store, folder):
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.5])
        end(board, score=0.4)
        start(board, "0002")
        end(board, "0002", status=FAILED, score=None)
        start(board, "0003")
    found = sessions(folder)
    assert sorted(found) == ["0001", "0002", "0003"]
    first = found["0001"]
    assert first.hparams["units"].number_value == 32
    assert first.hparams["learning_rate"].number_value == 1e-3
    assert first.hparams["activation"].string_value == "relu"
    assert first.hparams["flip"].bool_value is True
    scores = {(m.name.group, m.name.tag): m.value for m in first.metric_values}
    assert scores["", "Score"] == pytest.approx(0.4)
    assert scores["validation", "accuracy"] == pytest.approx(0.4)
    statuses = {name: group.sessions[0].status for name, group in found.items()}
    assert statuses == {
        "0001": api_pb2.STATUS_SUCCESS,
        "0002": api_pb2.STATUS_FAILURE,
        "0003": api_pb2.STATUS_UNKNOWN,
    }


def test_a_promoted_trial_goes_on_in_the_same_curve(store, folder):
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.5])
        end(board, epochs=1, score=0.5)
        start(board)
        train(board, [0.75], first=2)
        end(board, epochs=2, score=0.75)
    assert scalars(folder, "0001/train", "accuracy") == [(1, 0.5), (2, 0.75)]
    assert scalars(folder, "0001", "Score") == [(1, 0.5), (2, 0.75)]


def test_a_resumed_run_holds_each_epoch_once(store, folder):
    trial = record(values=VALUES, status=RUNNING)
    store.start_rung(trial)
    with TensorBoard(folder, store) as board:
        start(board)
        for number in (1, 2):
            done = EpochDone("0001", 0, number, epoch_of(0.5))
            store.record_epoch(done, 0.4, {"spent_s": 1.0})
            board(done)
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.75], first=3)
    assert scalars(folder, "0001/train", "accuracy") == [(1, 0.5), (2, 0.5), (3, 0.75)]
    assert len(list((folder / "0001" / "train").iterdir())) == 1


def test_an_epoch_that_is_told_again_is_not_written_again(store, folder):
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.5, 0.75])
        train(board, [0.75], first=2)
    assert scalars(folder, "0001/train", "accuracy") == [(1, 0.5), (2, 0.75)]


def test_a_trial_that_begins_again_leaves_nothing_of_its_first_attempt(store, folder):
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.5, 0.75])
        start(board)
        train(board, [0.25])
    assert scalars(folder, "0001/train", "accuracy") == [(1, 0.25)]


def test_time_is_that_of_training(store, folder):
    with TensorBoard(folder, store) as board:
        start(board)
        train(board, [0.5, 0.75])
    accumulator = EventAccumulator(str(folder / "0001" / "train")).Reload()
    first, second = accumulator.Scalars("accuracy")
    assert second.wall_time - first.wall_time == pytest.approx(2.0)


def test_a_trial_of_an_unusual_value_is_written_as_text(store, folder):
    values = {"stages": [1, 2], "nothing": None}
    with TensorBoard(folder, store) as board:
        board(TrialStarted("0001", 0, 0, 0, 3, values))
        end(board, values=values)
    hparams = sessions(folder)["0001"].hparams
    assert {name: value.string_value for name, value in hparams.items()} == {
        "stages": "[1, 2]",
        "nothing": "None",
    }


def test_writing_needs_no_tensorflow():
    code = "import sys\nimport tuner.tuning.tensorboard\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
