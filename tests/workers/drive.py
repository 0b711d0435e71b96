"""A driver in a process of its own: starts a pool, prints the worker's pid, and trains for ever.

Run as `python drive.py SPACE.py DATA.npz LOG`; meant to be killed.
"""

import multiprocessing
import sys
from pathlib import Path

from search_spaces import DataSpec
from tuner.data.dataset import load_dataset
from tuner.objective import Objective
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.training.task import EpochDone, TrainTask
from tuner.workers.local import LocalPool
from tuner.workers.protocol import WorkerSetup


def main(space: str, data: str, log: str) -> None:
    dataset = load_dataset(data)
    setup = WorkerSetup(SpaceHyperModel(space, DataSpec(dataset.image_shape, 2)), dataset)
    with LocalPool(setup, Path(log)) as pool:
        objective = Objective("val_loss", "min")
        pool.submit(0, TrainTask("0001", {}, 0, 10**6, 16, 0, objective, 1, Path(log).parent / "0001"))
        told = False
        while True:
            found = pool.next_event()
            if not told and found is not None and isinstance(found[1], EpochDone):
                told = True
                print(multiprocessing.active_children()[0].pid, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
