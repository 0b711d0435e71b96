"""The area under the ROC curve that validation reports is the exact one."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.training.models import ACCURACY, epochs_of, run, small
from tuner.objective import Objective
from tuner.statistics.auroc import auroc, has_auroc
from tuner.training.checkpoint import load_best
from tuner.training.loop import make_loop

pytestmark = pytest.mark.training


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_scikit_learn_with_ties_too(seed):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(40) % 2)
    scores = rng.integers(0, 6, 40) / 5
    assert auroc(labels, scores[:, None]) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auroc(labels, np.stack([1 - scores, scores], axis=1)) == pytest.approx(
        roc_auc_score(labels, scores), abs=1e-12
    )


def test_models_near_1_are_told_apart():
    """Keras takes 200 thresholds, between which all scores of a sure model lie."""
    labels = np.repeat([0, 1], 50)
    worse = np.where(labels == 1, 0.9999, 0.9998)
    worse[0] = 0.99995
    better = np.where(labels == 1, 0.9999, 0.9998)
    assert auroc(labels, better[:, None]) == 1.0
    assert auroc(labels, worse[:, None]) == pytest.approx(0.98)
    keras_auc = keras.metrics.AUC()
    keras_auc.update_state(labels, better)
    assert float(keras_auc.result()) != pytest.approx(1.0, abs=0.1)


def test_labels_of_one_class_or_of_three_have_no_area():
    assert [has_auroc(np.array(labels)) for labels in ([0, 1], [1, 1], [0, 1, 2], [1, 2])] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("metrics", [("accuracy",), ("accuracy", keras.metrics.AUC(name="auc"))])
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_trial_reports_the_exact_area_whatever_it_is_compiled_with(metrics, outputs, dataset, tmp_path):
    def build(_=None):
        return small(outputs=outputs, metrics=metrics if outputs == 1 else ("accuracy",))

    _, events = run(tmp_path, build, dataset, epochs=1, objective=ACCURACY)
    model = build()
    load_best(tmp_path, model)
    validation = dataset.splits["validation"]
    predicted = make_loop(model, dataset.images, dataset.labels).predict(validation)[:, -1]
    expected = roc_auc_score(dataset.labels[validation], predicted)
    assert epochs_of(events)[0].epoch.metrics["val_auc"] == pytest.approx(expected, abs=1e-9)


def test_the_area_can_be_the_objective_of_a_space_that_does_not_compile_it(dataset, tmp_path):
    done, events = run(tmp_path, lambda _: small(), dataset, epochs=2, objective=Objective("val_auc", "max"))
    assert (done.epochs, len(epochs_of(events))) == (2, 2)
