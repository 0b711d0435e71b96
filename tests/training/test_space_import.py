"""The file of a space is imported before anything is set that it may change."""

import keras
import numpy as np
import pytest

from tests.training.models import Hypermodel, assert_same_state, failure_of, run, small
from tuner.training.compute import use_precision
from tuner.training.trial import restore_winner

pytestmark = pytest.mark.training


class Imported(Hypermodel):
    """A space whose import sets a seed and a precision."""

    def load(self):
        keras.utils.set_random_seed(42)
        use_precision("mixed_bfloat16")


class Broken(Hypermodel):
    def load(self):
        raise KeyError("mine")


def dropping(_):
    return small(dropout=0.5)


def test_an_import_changes_no_trial(dataset, tmp_path):
    for name, hypermodel in (("plain", Hypermodel(dropping)), ("imported", Imported(dropping))):
        run(tmp_path / name, hypermodel, dataset)
    assert_same_state(tmp_path / "plain", tmp_path / "imported")


def test_an_import_changes_no_winner(dataset, tmp_path):
    run(tmp_path, dropping, dataset)
    plain, imported = (
        restore_winner(kind(dropping), {}, tmp_path, dataset) for kind in (Hypermodel, Imported)
    )
    assert [layer.compute_dtype for layer in imported.layers] == ["float32"] * len(plain.layers)
    assert np.array_equal(plain.predict(dataset.images[:4]), imported.predict(dataset.images[:4]))


def test_an_import_that_raises_fails_the_trial_as_a_build_does(dataset, tmp_path):
    error = failure_of(Broken(dropping), dataset, tmp_path)
    assert error.reason == "build"
    assert "mine" in str(error)
