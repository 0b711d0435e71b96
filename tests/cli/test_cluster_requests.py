"""What may be asked of a cluster; none is needed to refuse the rest."""

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("command", ["search", "train"])
def test_all_commands_that_train_take_a_cluster(tuner: Run, command: str) -> None:
    result = tuner(command, "--cluster", "nowhere")
    assert (result.code, result.stdout) == (2, "")
    assert "local, auto or ray://HOST:PORT" in result.error_lines[0]


def test_doctor_looks_at_a_cluster_or_at_a_run(tuner: Run) -> None:
    result = tuner("doctor", "results/whole", "--cluster", "auto")
    assert (result.code, result.stdout) == (2, "")
    assert len(result.error_lines) == 1
    assert "--cluster" in result.error_lines[0]
