"""Searches on a real Ray cluster of several nodes, whose workers, nodes and drivers are killed."""

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment
from tests.clusters import Nodes, cluster, worker_processes
from tuner.results.query import open_run

pytestmark = [pytest.mark.training, pytest.mark.ray]

SPACE = """
import keras


def build(hp, spec):
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(hp.Int("units", 1, 64), activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(hp.Choice("optimizer", ["adam", "sgd"]), "binary_crossentropy", metrics=["accuracy"])
    return model
"""
# Epochs of tens of milliseconds: enough of them that all workers are met in the middle of a trial.
EPOCHS = 600
REQUEST = ("--space", "small.py", "--algorithm", "random", "--max-trials", 4, "--max-epochs", EPOCHS)
ON_CLUSTER = (*REQUEST, "--patience", 0, "--cluster", "auto", "--workers", 2)
DEADLINE_S = 240
# Means another folder in each process: nodes have not what the driver has decoded.
HIDDEN_CACHE = Path("/proc/self/cwd/cache")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    if not HIDDEN_CACHE.parent.is_dir():
        pytest.skip("needs /proc, to hide the driver's files from the nodes")
    with cluster(tmp_path_factory.mktemp("nodes")) as found:
        yield found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "small.py").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def start(nodes: Nodes, work: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command as a process of its own, which finds the cluster."""

    def run(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments),
            cwd=work,
            env=environment(HIDDEN_CACHE) | {"RAY_ADDRESS": nodes.address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def undisturbed(nodes: Nodes, start: Callable[..., subprocess.Popen[str]], work: Path, images: Path) -> Path:
    """The folder of a run that nobody disturbed, on two nodes that are still there afterwards."""
    nodes.add("first")
    nodes.add("second")
    ended(start("search", "--data", images, *ON_CLUSTER, "--name", "whole"))
    return work / "results" / "whole"


def ended(process: subprocess.Popen[str]) -> str:
    """What a command has printed by its end."""
    try:
        output, _ = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, output
    return output


def outside(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end that knows of no cluster but what it is told."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(HIDDEN_CACHE) | variables,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def outcome(run: Path) -> list[tuple[object, ...]]:
    """All of a run that does not depend on clocks."""
    trials = [
        (trial.trial_id, trial.values, trial.status, trial.epochs, trial.best_epoch, trial.score)
        for trial in open_run(run).trials
    ]
    return [*trials, ((run / "best" / "predictions.csv").read_text(),)]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)


def training(run: Path, count: int) -> bool:
    """True while so many trials train that have some of their epochs behind them."""
    if not (run / "run.sqlite").exists():
        return False
    trials = open_run(run).trials
    return sum(trial.status == "RUNNING" and 3 <= trial.epochs <= EPOCHS - 50 for trial in trials) >= count


@pytest.mark.usefixtures("undisturbed")
def test_each_node_gets_the_images_once_and_keeps_them(nodes: Nodes) -> None:
    for name in ("first", "second"):
        (received,) = nodes.cache(name).glob("received-*/images.npy")
        assert received.stat().st_size > 0


def test_the_users_file_and_the_checkpoints_reach_the_nodes(undisturbed: Path) -> None:
    run = open_run(undisturbed)
    assert [trial.epochs for trial in run.trials] == [EPOCHS] * 4
    assert run.facts["status"] == "completed"


def test_a_worker_and_a_node_that_die_change_nothing(
    undisturbed: Path,
    nodes: Nodes,
    start: Callable[..., subprocess.Popen[str]],
    images: Path,
) -> None:
    doomed = nodes.add("doomed")
    process = start("search", "--data", images, *ON_CLUSTER, "--workers", 6, "--name", "disturbed")
    run = undisturbed.parent / "disturbed"
    wait_for(lambda: training(run, 3), process)
    elsewhere = [
        worker
        for worker in worker_processes()
        if worker.environ().get("TUNER_CACHE_DIR") != str(nodes.cache("doomed"))
    ]
    elsewhere[0].kill()
    nodes.kill(doomed)
    output = ended(process)
    assert "is gone" in output
    assert "aylet" not in output, "Ray speaks for itself"
    assert outcome(run) == outcome(undisturbed)


@pytest.mark.usefixtures("undisturbed")
def test_a_node_that_joins_later_is_used(
    nodes: Nodes, start: Callable[..., subprocess.Popen[str]], images: Path
) -> None:
    request = (*ON_CLUSTER, "--cpus-per-trial", 2, "--max-trials", 1, "--max-epochs", 1, "--name", "joined")
    process = start("search", "--data", images, *request)
    deadline = threading.Timer(DEADLINE_S, process.kill)
    deadline.daemon = True
    deadline.start()
    assert process.stdout is not None
    assert any("waiting for a node of the cluster with room" in line for line in process.stdout)
    deadline.cancel()
    late = nodes.add("late", cpus=2)
    ended(process)
    assert list(nodes.cache("late").glob("received-*/images.npy"))
    nodes.kill(late)


def test_a_driver_that_dies_is_taken_up_again(
    undisturbed: Path, start: Callable[..., subprocess.Popen[str]], images: Path
) -> None:
    process = start("search", "--data", images, *ON_CLUSTER, "--name", "orphaned")
    run = undisturbed.parent / "orphaned"
    wait_for(lambda: training(run, 2), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = {trial.trial_id: trial.epochs for trial in open_run(run).trials}
    ended(start("resume", "orphaned"))
    assert outcome(run) == outcome(undisturbed)
    assert any(0 < epochs < EPOCHS for epochs in left.values())


def test_a_worker_with_other_versions_is_left_out(
    undisturbed: Path,
    nodes: Nodes,
    start: Callable[..., subprocess.Popen[str]],
    images: Path,
    tmp_path: Path,
) -> None:
    odd = tmp_path / "keras_tuner-9.9.dist-info"
    odd.mkdir()
    (odd / "METADATA").write_text("Metadata-Version: 2.1\nName: keras-tuner\nVersion: 9.9\n")
    node = nodes.add("odd", PYTHONPATH=str(tmp_path))
    doctor = start("doctor", "--cluster", "auto", "--format", "csv")
    output, _ = doctor.communicate(timeout=DEADLINE_S)
    assert doctor.returncode == 1
    assert "error: 1 of " in output.splitlines()[-1]
    rows = list(csv.DictReader(io.StringIO(output.rpartition("error:")[0])))
    differing = [row["differs"] for row in rows if row["differs"]]
    assert len(differing) == 1
    assert "keras-tuner 9.9" in differing[0]
    output = ended(start("search", "--data", images, *ON_CLUSTER, "--workers", 3, "--name", "odd"))
    assert "keras-tuner 9.9" in output
    assert outcome(undisturbed.parent / "odd") == outcome(undisturbed)
    nodes.kill(node)


def test_a_trial_that_hangs_is_ended_and_the_search_goes_on(
    undisturbed: Path, start: Callable[..., subprocess.Popen[str]], work: Path, images: Path
) -> None:
    hangs = SPACE.replace("import keras\n", "import time\n\nimport keras\n", 1).replace(
        "    model = ", '    time.sleep(3600 if hp.Boolean("hangs") else 0)\n    model = ', 1
    )
    (work / "hangs.py").write_text(hangs)
    which = ("--space", "hangs.py", "--include", "hangs=true", "--hp", "units=8", "--hp", "optimizer=adam")
    request = (*ON_CLUSTER, *which, "--max-trials", 1, "--max-epochs", 2, "--trial-timeout", 5)
    output = ended(start("search", "--data", images, *request, "--name", "hangs"))
    assert "timeout: " in output
    assert "5 s" in output
    run = open_run(undisturbed.parent / "hangs")
    assert [trial.status for trial in run.trials] == ["FAILED", "COMPLETED"]


@pytest.mark.usefixtures("undisturbed")
def test_a_search_whose_checkpoints_no_node_reaches_ends_with_the_reason(
    start: Callable[..., subprocess.Popen[str]], images: Path
) -> None:
    hidden = HIDDEN_CACHE.with_name("checkpoints")
    process = start("search", "--data", images, *ON_CLUSTER, "--storage", hidden, "--name", "unreached")
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    last = output.splitlines()[-1]
    assert re.match(r"error: .*worker [12] on ", last)
    assert f"'{hidden}/unreached/checkpoints'" in last
    assert "--storage" in last
    assert "Traceback" not in output


def test_asynchronous_halving_runs_on_a_cluster_reached_from_elsewhere(
    undisturbed: Path, nodes: Nodes, start: Callable[..., subprocess.Popen[str]], images: Path
) -> None:
    there = ("--cluster", nodes.client_address)
    request = (*ON_CLUSTER, "--algorithm", "asha", "--max-trials", 9, "--max-epochs", 9, "--name", "asha")
    ended(start("search", "--data", images, *request, *there))
    epochs = sorted(trial.epochs for trial in open_run(undisturbed.parent / "asha").trials)
    assert len(epochs) == 9
    assert epochs[-1] == 9


def test_a_server_for_clients_that_crashes_as_it_starts_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = tmp_path / "starts"
    shell = tmp_path / "bash"  # Ray starts its servers with it
    shell.write_text(f"""#!/bin/sh
case "$*" in *specific-server*)
    echo >> '{starts}'
    [ "$(wc -l < '{starts}')" -gt 1 ] || kill -SEGV $$
esac
exec {shutil.which("bash")} "$@"
""")
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", "5")
    with cluster(tmp_path) as nodes:
        result = outside("doctor", "--cluster", nodes.client_address, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(starts.read_text().splitlines()) >= 2


def test_a_cluster_that_asks_for_a_token_says_so_in_one_line(
    nodes: Nodes, work: Path, images: Path, tmp_path: Path
) -> None:
    there = {"RAY_ADDRESS": nodes.address, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    result = outside("search", "--data", images, *ON_CLUSTER, cwd=work, **there)
    assert result.returncode == 2, result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "'auto'" in result.stderr.splitlines()[-1]
    assert "RAY_AUTH_TOKEN" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
