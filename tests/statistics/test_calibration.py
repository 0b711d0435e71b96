import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.statistics.calibration import (
    TEMPERATURES,
    at_temperature,
    calibration_error,
    fit_temperature,
    predicted_classes,
    reliability,
)


def columns(*second):
    """Probabilities of two classes from that of the second."""
    return np.array([[1 - p, p] for p in second])


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def drawn(temperature, num_classes=3, images=20_000):
    """Labels drawn from softmax(logits), and the probabilities of a model whose logits are so much larger."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (images, num_classes))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    return labels, softmax(temperature * logits)


def log_loss(labels, probabilities):
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


def test_calibration_error_by_hand():
    """Three images at 0.9, two of them right: |2/3 - 0.9|. One at 0.6, right: 0.4. Weights 3/4 and 1/4."""
    labels = np.array([1, 1, 0, 0])
    points = reliability(labels, columns(0.9, 0.9, 0.9, 0.4))
    assert [(point["images"], point["accuracy"]) for point in points] == [(1, 1.0), (3, pytest.approx(2 / 3))]
    assert calibration_error(points) == pytest.approx(3 / 4 * (0.9 - 2 / 3) + 1 / 4 * 0.4)


def test_confidences_in_one_bin_are_averaged_before_they_are_compared():
    """0.95 and 0.99 are both in (14/15, 1]: their mean 0.97 against an accuracy of one half."""
    points = reliability(np.array([1, 0]), columns(0.95, 0.99))
    assert [(point["low"], point["high"]) for point in points] == [(14 / 15, 1.0)]
    assert calibration_error(points) == pytest.approx(0.97 - 0.5)


def test_a_model_that_is_always_sure_and_right_has_no_calibration_error():
    assert calibration_error(reliability(np.array([0, 1]), np.eye(2))) == 0.0


@given(st.integers(2, 5).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**32 - 1))))
def test_the_bins_hold_every_image_once_and_its_confidence(case):
    num_classes, seed = case
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(num_classes) / 2, 50)
    points = reliability(rng.integers(0, num_classes, 50), probabilities)
    assert sum(point["images"] for point in points) == 50
    for point in points:
        assert point["low"] - 1e-12 <= point["confidence"] <= point["high"] + 1e-12
        low, high = point["accuracy_interval_95"]
        assert low - 1e-12 <= point["accuracy"] <= high + 1e-12
    assert 0 <= calibration_error(points) <= 1


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_a_model_is_found(num_classes, temperature):
    labels, probabilities = drawn(temperature, num_classes)
    assert fit_temperature(labels, probabilities) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_loss():
    labels, probabilities = drawn(2.0, images=500)
    best = fit_temperature(labels, probabilities)
    smallest = log_loss(labels, at_temperature(probabilities, best))
    for other in np.geomspace(*TEMPERATURES, 200):
        assert smallest <= log_loss(labels, at_temperature(probabilities, other)) + 1e-9


def test_a_temperature_makes_an_overconfident_model_honest():
    labels, probabilities = drawn(3.0)
    mended = at_temperature(probabilities, fit_temperature(labels, probabilities))
    before, after = (calibration_error(reliability(labels, p)) for p in (probabilities, mended))
    assert before > 0.1
    assert after < 0.02


def test_images_that_are_all_right_say_nothing_about_the_temperature():
    assert fit_temperature(np.array([0, 1, 1]), columns(0.1, 0.9, 0.6)) == 1.0


@pytest.mark.parametrize(
    ("labels", "of_second"),
    [
        pytest.param([0, 1] * 50, [0.9, 0.1] * 50, id="all wrong, the hotter the better"),
        pytest.param([0, 0, 0, 1] * 25, [0.9, 0.9, 0.1, 0.1] * 25, id="mostly wrong"),
        pytest.param([0, 1] * 50, [0.5] * 100, id="knows nothing, all temperatures are alike"),
        pytest.param([0, 1, 0, 1] * 25, [0.499, 0.501] * 49 + [0.499, 0.499], id="colder than the bound"),
    ],
)
def test_a_fit_that_ends_at_a_bound_has_no_temperature(labels, of_second):
    assert fit_temperature(np.array(labels), columns(*of_second)) is None


def test_a_temperature_near_a_bound_is_one():
    labels, probabilities = drawn(0.06)
    assert fit_temperature(labels, probabilities) == pytest.approx(0.06, rel=0.05)


def test_probabilities_of_zero_and_one_do_no_harm():
    labels = np.array([0, 1, 1, 1])
    temperature = fit_temperature(labels, columns(0.0, 1.0, 0.0, 1.0))
    assert temperature is not None
    assert np.isfinite(temperature)
    assert np.isfinite(at_temperature(columns(0.0, 1.0), temperature)).all()


@given(st.floats(*TEMPERATURES), st.integers(0, 2**32 - 1))
def test_a_temperature_never_changes_which_class_is_most_probable(temperature, seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), 20)
    mended = at_temperature(probabilities, temperature)
    assert (predicted_classes(mended) == predicted_classes(probabilities)).all()
    assert mended.sum(axis=1) == pytest.approx(np.ones(20))
