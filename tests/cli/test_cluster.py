"""Searches on a real Ray cluster of several nodes, whose workers, nodes and drivers are killed."""

import contextlib
import csv
import io
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment
from tests.clusters import Nodes, cluster, worker_processes
from tuner.results.query import open_run

pytestmark = [pytest.mark.training, pytest.mark.ray]

# While the file HOLD is there, trials stop in their fifth epoch: whoever kills them meets them there. A step
# is a call of the loss, of which an epoch has three and its validation one.
SPACE = """
import time
from pathlib import Path

import keras

HOLD = Path({hold!r})


def build(hp, spec):
    calls = 0

    def loss(truth, found):
        nonlocal calls
        calls += 1
        while calls > 16 and HOLD.exists():
            time.sleep(0.05)
        return keras.losses.binary_crossentropy(truth, found)

    model = keras.Sequential([
        keras.Input(spec.image_shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(hp.Int("units", 1, 64), activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    # Compiled, the loss would be called once.
    model.compile(hp.Choice("optimizer", ["adam", "sgd"]), loss, metrics=["accuracy"], run_eagerly=True)
    return model
"""
EPOCHS, MET_AT = 7, 3
REQUEST = ("--space", "small.py", "--algorithm", "random", "--max-trials", 4, "--max-epochs", EPOCHS)
ON_CLUSTER = (*REQUEST, "--patience", 0, "--cluster", "auto", "--workers", 2)
DEADLINE_S = 240
# Means another folder in each process: nodes have not what the driver has decoded.
HIDDEN_CACHE = Path("/proc/self/cwd/cache")


@dataclass(frozen=True)
class Started:
    """A command that runs in a process of its own; `log` has what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def ended(self, code: int = 0) -> str:
        """What the command has said by its end."""
        assert self.process.wait(DEADLINE_S) == code, self.said
        return self.said

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.05)


Start = Callable[..., Started]


@dataclass(frozen=True)
class Work:
    """The folder in which searches run."""

    folder: Path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let no trial come to its end for so long."""
        hold = self.folder / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    def run(self, name: str) -> Path:
        return self.folder / "results" / name

    def met(self, name: str) -> int:
        """How many trials of a search train at once, with some of their epochs behind them."""
        if not (self.run(name) / "run.sqlite").exists():
            return 0
        trials = open_run(self.run(name)).trials
        return sum(trial.status == "RUNNING" and trial.epochs >= MET_AT for trial in trials)


@pytest.fixture(scope="module")
def client_server_starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with a line for each start of Ray's server for a client, the first of which crashes."""
    folder = tmp_path_factory.mktemp("bin")
    starts = folder / "starts"
    shell = folder / "bash"  # Ray starts its servers with it
    shell.write_text(f"""#!/bin/sh
case "$*" in *specific-server*)
    echo >> '{starts}'
    [ "$(wc -l < '{starts}')" -gt 1 ] || kill -SEGV $$
esac
exec {shutil.which("bash")} "$@"
""")
    shell.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        patch.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", "5")
        yield starts


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, client_server_starts: Path) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    if not HIDDEN_CACHE.parent.is_dir():
        pytest.skip("needs /proc, to hide the driver's files from the nodes")
    assert not client_server_starts.exists()
    with cluster(tmp_path_factory.mktemp("nodes")) as found:
        yield found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "small.py").write_text(SPACE.format(hold=str(folder / "hold")))
    return Work(folder)


@pytest.fixture(scope="module")
def start(nodes: Nodes, work: Work) -> Iterator[Start]:
    """Start a command as a process of its own, which finds the cluster."""
    started: list[Started] = []

    # So many seconds does Ray wait for a client that is gone, and lets one wait whose server has crashed.
    variables = {"RAY_ADDRESS": nodes.address, "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "1"}

    def run(*arguments: object) -> Started:
        log = work.folder / f"command-{len(started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command(*arguments),
                cwd=work.folder,
                env=environment(HIDDEN_CACHE) | variables,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        started.append(Started(process, log))
        return started[-1]

    yield run
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.fixture(scope="module")
def undisturbed(nodes: Nodes, start: Start, work: Work, images: Path) -> Path:
    """A run that nobody disturbed: begun on one node, for whose second worker another joined later.

    Both are still there afterwards.
    """
    nodes.add("first")
    with work.held():
        search = start("search", "--data", images, *ON_CLUSTER, "--name", "whole")
        search.wait_for(lambda: work.met("whole") == 1)
        nodes.add("second")
        search.wait_for(lambda: work.met("whole") == 2)
    search.ended()
    return work.run("whole")


def outcome(run: Path) -> list[tuple[object, ...]]:
    """All of a run that does not depend on clocks."""
    trials = [
        (trial.trial_id, trial.values, trial.status, trial.epochs, trial.best_epoch, trial.score)
        for trial in open_run(run).trials
    ]
    return [*trials, ((run / "best" / "predictions.csv").read_text(),)]


@pytest.mark.usefixtures("undisturbed")
def test_each_node_gets_the_images_once_and_keeps_them_one_that_joins_later_too(nodes: Nodes) -> None:
    for name in ("first", "second"):
        (received,) = nodes.cache(name).glob("received-*/images.npy")
        assert received.stat().st_size > 0


def test_the_users_file_and_the_checkpoints_reach_the_nodes(undisturbed: Path) -> None:
    run = open_run(undisturbed)
    assert [trial.epochs for trial in run.trials] == [EPOCHS] * 4
    assert run.facts["status"] == "completed"


def test_a_worker_and_a_node_that_die_change_nothing(
    undisturbed: Path, nodes: Nodes, start: Start, work: Work, images: Path
) -> None:
    doomed = nodes.add("doomed")
    with work.held():
        search = start("search", "--data", images, *ON_CLUSTER, "--workers", 4, "--name", "disturbed")
        search.wait_for(lambda: work.met("disturbed") == 3)
        elsewhere = [
            worker
            for worker in worker_processes()
            if worker.environ().get("TUNER_CACHE_DIR") != str(nodes.cache("doomed"))
        ]
        elsewhere[0].kill()
        nodes.kill(doomed)
    said = search.ended()
    assert "is gone" in said
    assert "aylet" not in said, "Ray speaks for itself"
    assert outcome(work.run("disturbed")) == outcome(undisturbed)


def test_a_driver_that_dies_takes_its_workers_with_it_and_is_taken_up_again(
    undisturbed: Path, start: Start, work: Work, images: Path
) -> None:
    with work.held():
        search = start("search", "--data", images, *ON_CLUSTER, "--workers", 1, "--name", "orphaned")
        search.wait_for(lambda: work.met("orphaned") == 1)
        search.process.kill()
        search.ended(-signal.SIGKILL)
        left = [trial.epochs for trial in open_run(work.run("orphaned")).trials]
        resumed = start("resume", "orphaned")
        resumed.wait_for(lambda: not worker_processes())
    resumed.ended()
    assert outcome(work.run("orphaned")) == outcome(undisturbed)
    assert any(0 < epochs < EPOCHS for epochs in left)


def test_a_worker_with_other_versions_is_left_out(
    undisturbed: Path, nodes: Nodes, start: Start, work: Work, images: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "keras_tuner-9.9.dist-info"
    odd.mkdir()
    (odd / "METADATA").write_text("Metadata-Version: 2.1\nName: keras-tuner\nVersion: 9.9\n")
    node = nodes.add("odd", PYTHONPATH=str(tmp_path))
    with work.held():
        search = start("search", "--data", images, *ON_CLUSTER, "--workers", 3, "--name", "odd")
        said = start("doctor", "--cluster", "auto", "--format", "csv").ended(1)
        search.wait_for(lambda: "keras-tuner 9.9" in search.said)
    search.ended()
    assert outcome(work.run("odd")) == outcome(undisturbed)
    assert "error: 1 of " in said.splitlines()[-1]
    rows = list(csv.DictReader(io.StringIO(said.rpartition("error:")[0])))
    differing = [row["differs"] for row in rows if row["differs"]]
    assert len(differing) == 1
    assert "keras-tuner 9.9" in differing[0]
    nodes.kill(node)


@pytest.mark.usefixtures("undisturbed")
def test_a_search_whose_checkpoints_no_node_reaches_ends_with_the_reason(start: Start, images: Path) -> None:
    hidden = HIDDEN_CACHE.with_name("checkpoints")
    search = start("search", "--data", images, *ON_CLUSTER, "--storage", hidden, "--name", "unreached")
    said = search.ended(1)
    last = said.splitlines()[-1]
    assert re.match(r"error: .*worker [12] on ", last)
    assert f"'{hidden}/unreached/checkpoints'" in last
    assert "--storage" in last
    assert "Traceback" not in said


@pytest.mark.usefixtures("undisturbed")
def test_asynchronous_halving_runs_from_elsewhere_though_the_server_for_clients_crashes_as_it_starts(
    nodes: Nodes, start: Start, work: Work, images: Path, client_server_starts: Path
) -> None:
    request = (*ON_CLUSTER, "--algorithm", "asha", "--max-trials", 5, "--max-epochs", 3)
    search = start("search", "--data", images, *request, "--cluster", nodes.client_address, "--name", "asha")
    search.ended()
    assert len(client_server_starts.read_text().splitlines()) >= 2
    epochs = sorted(trial.epochs for trial in open_run(work.run("asha")).trials)
    assert len(epochs) == 5
    assert epochs[-1] == 3


def test_a_cluster_that_asks_for_a_token_says_so_in_one_line(
    nodes: Nodes, work: Work, images: Path, tmp_path: Path
) -> None:
    there = {"RAY_ADDRESS": nodes.address, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    result = subprocess.run(
        command("search", "--data", images, *ON_CLUSTER),
        cwd=work.folder,
        env=environment(HIDDEN_CACHE) | there,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "'auto'" in last
    assert "RAY_AUTH_TOKEN" in last
    assert "Traceback" not in result.stderr
