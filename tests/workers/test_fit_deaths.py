"""A worker dies while a user's own fit trains a trial in it."""

import os
import signal
import time

import pytest

from tests.workers.pools import answer, events, gone, setup_for, task, worker_pid
from tuner.training.checkpoint import read_history
from tuner.training.task import EpochDone, RungDone
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Lost

pytestmark = [pytest.mark.training, pytest.mark.faults]

WAIT_S = 30.0
SPACE = """
import keras
import keras_tuner as kt
from keras import layers


class Fitted(kt.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
                                  layers.Dense(1, activation="sigmoid")])
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        own = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1))
        return model.fit(*args, callbacks=[own, *callbacks], class_weight={0: 1, 1: 2}, **kwargs)
"""


def test_a_trial_goes_on_at_its_epoch_in_a_new_process(tmp_path, dataset):
    long = task(tmp_path, epochs=10**6)
    with LocalPool(setup_for(tmp_path, dataset, SPACE), tmp_path / "worker.log") as pool:
        pool.device()
        pid = worker_pid()
        pool.submit(0, long)
        while not (isinstance(event := pool.next_event()[1], EpochDone) and event.number == 2):
            pass
        os.kill(pid, signal.SIGKILL)
        assert isinstance(answer(pool), Lost)
        done = len(read_history(tmp_path / "0001"))
        assert done >= 2
        # The checkpoint may hold epochs that were not reported.
        found = events(pool, task(tmp_path, epochs=done + 2))
        last = found[-1]
        assert isinstance(last, RungDone)
        assert last.epochs == done + 2
        rates = [epoch.metrics["learning_rate"] for epoch in read_history(tmp_path / "0001")]
        assert rates == pytest.approx([0.01 / (epoch + 1) for epoch in range(done + 2)])


def test_a_worker_ends_while_a_fit_waits_for_its_next_epoch(tmp_path, dataset):
    """Its thread must not keep the process alive."""
    with LocalPool(setup_for(tmp_path, dataset, SPACE), tmp_path / "worker.log") as pool:
        pool.device()
        pid = worker_pid()
        assert isinstance(events(pool, task(tmp_path, epochs=1))[-1], RungDone)
    until = time.monotonic() + WAIT_S
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert gone(pid)
