"""Keras Tuner on images that lie decoded in memory.

python -m benchmarks.peers.keras_tuner_arrays TASK
"""

from __future__ import annotations

import sys
import tempfile

from benchmarks.peers.clock import EpochClock
from benchmarks.peers.fixed_list import make_tuner
from benchmarks.peers.reading import read_arrays
from benchmarks.peers.task import PeerTask, read_task


def main(task: PeerTask) -> None:
    clock = EpochClock(task)
    images, labels, validation = read_arrays(task)
    with tempfile.TemporaryDirectory() as directory:
        make_tuner(task, directory).search(
            images,
            labels,
            validation_data=validation,
            epochs=task.epochs,
            batch_size=task.batch_size,
            callbacks=[clock],
            verbose=0,
        )
    clock.print_answer()


if __name__ == "__main__":
    main(read_task(sys.argv[1]))
