"""What the driver's side of a cluster does with what it hears, in orders that a real cluster rarely gives."""

import time
from types import SimpleNamespace

import pytest

from tests.workers.pools import setup_for, task
from tuner.errors import TunerError
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone, RungDone
from tuner.training.versions import installed_versions
from tuner.workers import ray as ray_pool
from tuner.workers.protocol import Describe, Failure, Lost, Ready
from tuner.workers.ray import RayPool
from tuner.workers.ray_cluster import Share, options_of
from tuner.workers.ray_worker import Placed, Refused, Report

EPOCH = EpochDone("0001", 0, 1, Epoch({"loss": 1.0}, 1.0, 1.0, 10))
RUNG = RungDone("0001", 0, 1, False, False, 10, 0.0)
ALIKE = Ready("tensorflow", "CPU", installed_versions())
DESCRIBE = Describe("auto", "off", 16, 1.0, 1)


class RayError(Exception):
    pass


class Actor:
    """A worker as the test wants it: `tell` and `die` answer the driver's question for news."""

    def __init__(self, library, options):
        self.options, self.requests, self.killed, self._library, self._asked = options, [], False, library, []
        self.report = SimpleNamespace(remote=self._ask)
        self.submit = SimpleNamespace(remote=self.requests.append)

    def _ask(self, _):
        self._asked.append(object())
        return self._asked[-1]

    def tell(self, *told):
        self._library.answers[self._asked[-1]] = Report(told, 100.0)

    def die(self):
        self._library.answers[self._asked[-1]] = RayError("The actor died.")

    def start(self, node="good", ready=ALIKE):
        self.tell(Placed(f"host-{node}", node), ready)


class Library:
    """As much of Ray as a pool uses."""

    exceptions = SimpleNamespace(RayError=RayError, OutOfMemoryError=type("OutOfMemory", (RayError,), {}))

    def __init__(self):
        self.answers, self.actors, self.names = {}, [], ["good"]

    def remote(self, _):
        def options(**given):
            def start(_):
                self.actors.append(Actor(self, given))
                return self.actors[-1]

            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=options)

    def wait(self, references, num_returns=1, **_):
        ready = [each for each in references if each in self.answers][:num_returns]
        return ready, [each for each in references if each not in ready]

    def get(self, reference):
        answer = self.answers[reference]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, actor):
        actor.killed = True

    def nodes(self):
        return [{"NodeID": name, "Alive": True, "Resources": {"CPU": 4.0}} for name in self.names]

    def cluster_resources(self):
        return {"CPU": 4.0}

    def shutdown(self):
        pass


@pytest.fixture
def library(monkeypatch):
    found = Library()
    monkeypatch.setattr(ray_pool, "connect", lambda _: found)
    monkeypatch.setattr(ray_pool, "WATCH_S", 0.0)
    return found


@pytest.fixture
def said():
    return []


@pytest.fixture
def start(library, said, dataset, tmp_path):
    def pool(workers=1):
        found = RayPool(setup_for(tmp_path, dataset), Share("auto", workers), tmp_path, said.append)
        assert len(library.actors) == workers
        return found

    return pool


def heard(pool):
    """Everything that there is to hear now."""
    events = []
    while (found := pool.next_event(timeout=0)) is not None:
        events.append(found)
    return events


def test_a_worker_is_idle_when_its_answer_has_been_fetched(start, library, tmp_path):
    pool = start()
    library.actors[0].start()
    heard(pool)
    pool.submit(0, task(tmp_path))
    library.actors[0].tell(EPOCH, RUNG)
    assert pool.next_event(timeout=0) == (0, EPOCH)
    assert pool.idle() == []
    assert pool.next_event(timeout=0) == (0, RUNG)
    assert pool.idle() == [0]


def test_a_trial_that_ends_as_its_time_does_has_ended_and_the_next_is_not_to_blame(start, library, tmp_path):
    pool = start()
    library.actors[0].start()
    heard(pool)
    pool.submit(0, task(tmp_path), limit_s=0.0)
    time.sleep(0.01)
    library.actors[0].tell(RUNG)
    assert pool.next_event(timeout=0) == (0, RUNG)
    assert library.actors[0].killed
    assert pool.idle() == []
    library.actors[1].start()
    heard(pool)
    second = task(tmp_path, "0002")
    pool.submit(0, second)
    assert heard(pool) == []
    assert library.actors[1].requests == [second]


def test_a_worker_still_busy_at_its_limit_is_ended_and_its_trial_has_failed(start, library, said, tmp_path):
    pool = start()
    library.actors[0].start()
    heard(pool)
    pool.submit(0, task(tmp_path), limit_s=0.0)
    assert heard(pool) == []
    assert library.actors[0].killed
    library.actors[0].die()
    ((number, failure),) = heard(pool)
    assert isinstance(failure, Failure)
    assert (number, failure.trial_id, failure.reason) == (0, "0001", "timeout")
    assert said == []
    library.actors[1].start()
    heard(pool)
    assert pool.idle() == [0]


def test_it_is_said_once_that_no_node_has_room_until_one_has(start, library, said, monkeypatch):
    monkeypatch.setattr("tuner.workers.ray_placement.PATIENCE_S", 0.0)
    pool = start(2)
    heard(pool)
    heard(pool)
    (line,) = said
    assert "waiting for a node" in line
    assert "1 CPU" in line
    library.actors[0].start()
    heard(pool)
    assert pool.idle() == [0]
    assert len(said) == 1


def test_a_request_to_a_worker_that_cannot_start_comes_back(start, library, said, tmp_path):
    pool = start()
    library.actors[0].start()
    heard(pool)
    pool.submit(0, task(tmp_path))
    library.actors[0].tell(Failure("0001", "oom", "no memory", ""))
    heard(pool)
    assert library.actors[0].killed
    assert pool.idle() == []
    pool.submit(0, task(tmp_path, "0002"))
    library.actors[1].tell(Placed("host-good", "good"), Refused("no disk", of_node=False))
    assert heard(pool) == [(0, Lost("0002", "no disk"))]
    library.actors[2].start()
    heard(pool)
    assert pool.idle() == [0]
    assert said == []


def test_a_node_on_which_a_worker_is_ready_is_not_avoided(start, library, said):
    pool = start(2)
    library.actors[0].start()
    library.actors[1].tell(Placed("host-good", "good"), Refused("it cannot reach '/there'", of_node=True))
    heard(pool)
    assert "label_selector" not in library.actors[2].options
    library.actors[2].start()
    heard(pool)
    assert pool.idle() == [0, 1]
    assert said == []


def test_a_node_that_is_of_no_use_is_avoided_and_its_worker_finds_another(start, library, said):
    library.names = ["bad", "good"]
    pool = start(2)
    library.actors[0].start("bad", Ready("tensorflow", "CPU", {**ALIKE.versions, "keras": "1.0"}))
    library.actors[1].start("bad", Ready("tensorflow", "CPU", {**ALIKE.versions, "keras": "1.0"}))
    heard(pool)
    assert len(said) == 1
    assert "keras 1.0" in said[0]
    for actor in library.actors[2:]:
        assert actor.options["label_selector"] == {"ray.io/node-id": "!in(bad)"}
        actor.start()
    heard(pool)
    assert pool.idle() == [0, 1]
    assert pool.place(0) == "worker 1 on host-good"


def test_workers_may_die_long_after_one_was_refused(start, library, said):
    library.names = ["bad", "good"]
    pool = start(2)
    library.actors[0].start("bad", Ready("jax", "CPU", {}))
    library.actors[1].start()
    heard(pool)
    library.actors[1].die()
    heard(pool)
    assert any("worker 2" in line and "host-good" in line for line in said)
    library.actors[-1].start()
    heard(pool)
    assert pool.idle() == [1]


def test_a_search_ends_where_no_node_can_be_used(start, library):
    pool = start(8)
    library.actors[0].tell(Placed("host-good", "good"), Refused("it cannot reach '/there'", of_node=True))
    heard(pool)
    with pytest.raises(TunerError, match=r"worker 1 on host-good .* '/there'"):
        heard(pool)


def test_a_request_whose_workers_are_killed_each_time_fails(start, library, monkeypatch):
    pool = start()
    wait = library.wait

    def all_die(references, **how):
        actor = library.actors[-1]
        if actor.requests:
            actor.die()
        else:
            actor.start()
        return wait(references, **how)

    monkeypatch.setattr(library, "wait", all_die)
    answer = pool.ask(DESCRIBE)
    assert isinstance(answer, Failure)
    assert answer.reason == "crash"
    assert "5 times" in answer.message


def test_a_worker_that_cannot_start_is_done_without_while_others_train(start, library, said):
    pool = start(2)
    library.actors[0].start()
    heard(pool)
    for _ in range(3):
        library.actors[-1].die()
        heard(pool)
    (line,) = said
    assert "3 workers" in line
    assert "The actor died" in line
    assert pool.idle() == [0]


def test_one_that_says_why_it_cannot_start_is_told_of_once(start, library, said):
    pool = start(2)
    library.actors[0].start()
    heard(pool)
    for _ in range(3):
        library.actors[-1].tell(Placed("host-bad", "bad"), Refused("no disk", of_node=False))
        heard(pool)
    library.actors[-1].die()
    heard(pool)
    (line,) = said
    assert "3 workers" in line
    assert "no disk" in line
    assert pool.idle() == [0]


def test_a_search_ends_where_no_worker_can_start(start, library):
    pool = start()
    for _ in range(2):
        library.actors[-1].die()
        heard(pool)
    library.actors[-1].die()
    with pytest.raises(TunerError, match=r"3 workers.*The actor died"):
        heard(pool)


@pytest.mark.parametrize(
    ("gpus", "workers", "share"),
    [(0, 3, 0.0), (1, 1, 1.0), (4, 2, 1.0), (2, 3, 0.5), (3, 8, 0.3333), (1, 6, 0.1666)],
)
def test_all_workers_find_room_on_the_gpus_that_they_share(gpus, workers, share):
    found = options_of(Share("auto", workers), {"CPU": 8.0, "GPU": float(gpus)})
    assert found["num_gpus"] == share
