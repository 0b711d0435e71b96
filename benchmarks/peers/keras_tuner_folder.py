"""Keras Tuner on a folder of images, read as in the Keras tutorials.

python -m benchmarks.peers.keras_tuner_folder TASK
"""

from __future__ import annotations

import sys
import tempfile

from benchmarks.peers.clock import EpochClock
from benchmarks.peers.fixed_list import make_tuner
from benchmarks.peers.reading import read_folder
from benchmarks.peers.task import PeerTask, read_task


def main(task: PeerTask) -> None:
    clock = EpochClock(task)
    train, validation = read_folder(task)
    with tempfile.TemporaryDirectory() as directory:
        make_tuner(task, directory).search(
            train, validation_data=validation, epochs=task.epochs, callbacks=[clock], verbose=0
        )
    clock.print_answer()


if __name__ == "__main__":
    main(read_task(sys.argv[1]))
