"""A space that misbehaves when asked to, and talking to a pool of workers."""

import contextlib
import multiprocessing

import psutil

from search_spaces import DataSpec
from tuner.objective import Objective
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.training.task import EpochDone, LateHyperparameters, StepsDone, TrainTask
from tuner.workers.protocol import Describe, Ready, WorkerSetup

DESCRIBE = Describe("auto", "auto", batch_size=16, images=100, trials=1)

SPACE = """
import os, signal, time

import keras
import numpy as np
from keras import layers

hoard = []


def build(hp, spec):
    print("printed by the space")
    if hp.Boolean("broken"):
        return fail()
    if hp.Boolean("segfault"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if hp.Boolean("hangs"):
        time.sleep(3600)
    if hp.Int("hoarded_mib", 0, 8000, default=0):
        hoard.append(np.ones((hp.get("hoarded_mib"), 2**20), np.uint8))
        time.sleep(3600)
    if hp.Boolean("exits"):
        raise SystemExit("enough")
    if hp.Boolean("memory_error"):
        raise MemoryError("no more")
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(hp.Int("units", 1, 8, default=4), activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(hp.Choice("optimizer", ["adam", "sgd"]), "binary_crossentropy", metrics=["accuracy"])
    return model


def fail():
    raise RuntimeError("broken by its author")
"""


def setup_for(folder, dataset, source=SPACE):
    path = folder / "my_space.py"
    path.write_text(source)
    return WorkerSetup(SpaceHyperModel(str(path), DataSpec(dataset.image_shape, 2)), dataset)


def task(folder, trial_id="0001", epochs=1, seed=1, **values):
    objective = Objective("val_loss", "min")
    return TrainTask(trial_id, values, 0, epochs, 16, 0, objective, seed, folder / trial_id)


def events(pool, request):
    """All events of a request, the answer last."""
    pool.submit(0, request)
    found = []
    while 0 not in pool.idle():
        number, event = pool.next_event()
        assert number == 0
        found.append(event)
    return found


def answer(pool):
    """The answer to the request under way."""
    while isinstance(event := pool.next_event()[1], LateHyperparameters | StepsDone | EpochDone | Ready):
        pass
    return event


def worker_pid():
    (child,) = multiprocessing.active_children()
    return child.pid


def gone(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True
