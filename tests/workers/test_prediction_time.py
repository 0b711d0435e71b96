"""What is taken for the time of prediction. No process needed: the inside of a worker answers here."""

import copy

import numpy as np
import pytest

from tests.workers.pools import setup_for, task
from tuner.training.evaluation_batch import MAX_EVALUATION_BATCH
from tuner.training.pipeline import chunks
from tuner.workers import serve
from tuner.workers.protocol import FinishModel, Member, ModelDone, WorkerSetup

pytestmark = pytest.mark.training


class Clocked:
    """A loop that notes what it predicts, and takes a second for each image."""

    def __init__(self):
        self.now = 0.0
        self.evaluation_batch = MAX_EVALUATION_BATCH
        self.predicted = []

    def predict(self, indices):
        self.now += len(indices)
        self.predicted.append(indices)
        return np.zeros((len(indices), 1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset):
    """The setup of a worker, and the checkpoint of a trial."""
    folder = tmp_path_factory.mktemp("trained")
    setup = setup_for(folder, dataset)
    serve.Server(setup).answer(task(folder), lambda _: None)
    return setup, folder / "0001"


def with_test_images(dataset, count):
    """The same images over and over, as a test split of so many."""
    dataset = copy.copy(dataset)
    vars(dataset)["splits"] = {"test": np.arange(count) % len(dataset.labels)}
    return dataset


@pytest.fixture(params=[7, MAX_EVALUATION_BATCH, 2 * MAX_EVALUATION_BATCH, 2 * MAX_EVALUATION_BATCH + 7])
def finished(request, trained, monkeypatch):
    """A winner that predicted so many images: the number, the loop, the answer."""
    setup, checkpoint = trained
    loop = Clocked()
    monkeypatch.setattr(serve, "make_loop", lambda *_: loop)
    monkeypatch.setattr(serve.time, "perf_counter", lambda: loop.now)
    server = serve.Server(WorkerSetup(setup.hypermodel, with_test_images(setup.dataset, request.param)))
    finish = FinishModel((Member({}, checkpoint),), "test")
    answer = server.answer(finish, lambda _: None)
    assert isinstance(answer, ModelDone)
    return request.param, loop, answer


def test_the_time_of_prediction_is_that_of_the_whole_split_once(finished):
    count, _, answer = finished
    assert answer.prediction_s == count
    assert len(answer.probabilities) == count


def test_batches_of_every_size_were_predicted_before_the_time_was_taken(finished):
    """The first of a size is traced or compiled."""
    _, loop, _ = finished
    before, timed = (
        {part.shape[1] for part in chunks(indices, MAX_EVALUATION_BATCH, 1)} for indices in loop.predicted
    )
    assert before == timed
