"""How long a configuration is trained anew, and what several seeds amount to."""

import pytest

from tuner.evaluation.retraining import passes_to_best
from tuner.statistics.spread import main_figures, spread
from tuner.training.checkpoint import Epoch


def epochs(*images):
    return tuple(Epoch({}, 1.0, 1.0, count) for count in images)


@pytest.mark.parametrize(
    ("history", "best", "passes"),
    [
        (epochs(100, 100, 100), 2, 2),
        (epochs(100, 100, 100), 3, 3),
        (epochs(11, 11, 11, 33, 33), 3, 1),
        (epochs(11, 11, 11, 33, 33), 5, 1),
        (epochs(33, 33, 33, 100, 100), 4, 2),
    ],
)
def test_epochs_are_counted_in_passes_over_all_images_and_rounded_up(history, best, passes):
    assert passes_to_best(history, best, 100) == passes


def test_the_spread_has_the_deviation_of_a_sample():
    figures = [main_figures({"accuracy": value, "auroc": None}) for value in (0.5, 0.75, 1.0)]
    assert spread(figures) == {"accuracy": {"mean": 0.75, "sd": 0.25, "min": 0.5, "max": 1.0}}


def test_one_seed_has_no_deviation():
    assert spread([main_figures({"accuracy": 0.5})])["accuracy"]["sd"] is None


def test_of_more_classes_the_means_over_them_count():
    assert main_figures({"accuracy": 0.5, "macro": {"auroc": 0.75}})["auroc"] == 0.75
