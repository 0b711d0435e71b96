"""A HyperModel's own fit, found in a file: what it declares, and what a user is told of it."""

from textwrap import indent

import numpy as np
import pytest

from search_spaces import DataSpec
from tests.spaces.conftest import SOUND
from tuner.errors import SpaceError
from tuner.spaces.checks import run_checks
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.overview import overview
from tuner.spaces.search_space import SearchSpace
from tuner.training.build import build_model
from tuner.training.task import TrialError

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype(np.uint8)
LABELS = np.arange(64) % 2


class Data:
    image_shape, class_names = (8, 8, 3), ("FAKE", "REAL")


def space(tmp_path, methods, fixed=()):
    """The hypermodel of a class with these methods."""
    build = "def build(self, hp):\n    return model_of(layers.Dense(hp.Int('units', 4, 8)))\n"
    path = tmp_path / "space.py"
    path.write_text(
        f"{SOUND}\nimport keras_tuner as kt\n\nclass Mine(kt.HyperModel):\n" + indent(build + methods, "    ")
    )
    return SpaceHyperModel(f"{path}:Mine", DataSpec((8, 8, 3), 2), fixed=fixed)


def declared(hypermodel):
    """The hyperparameters of build and fit, those of the training, and the sentences."""
    hp = hypermodel.hyperparameters()
    model = build_model(hypermodel, {}, Data, hp)
    notes = hypermodel.declare_fit(hp, model, IMAGES, LABELS)
    return [each.name for each in hp.space], hypermodel.training(hp), notes


FROM_HP = 'batch_size=hp.Choice("batch_size", [16, 32])'


def passing(*own):
    """A fit that adds these arguments."""
    arguments = ", ".join(("*args", *own, "**kwargs"))
    return f"def fit(self, hp, model, *args, **kwargs):\n    return model.fit({arguments})\n"


def test_its_hyperparameters_are_in_the_space_and_its_batch_size_is_that_of_the_training(tmp_path):
    names, training, notes = declared(space(tmp_path, passing(FROM_HP)))
    assert (names, training) == (["units", "batch_size"], ("batch_size",))
    assert "fit" in notes[0]


def test_a_hypermodel_without_one_has_none(tmp_path):
    hypermodel = space(tmp_path, "")
    assert hypermodel.own_fit is None
    assert declared(hypermodel) == (["units"], (), ())


def test_a_function_named_fit_beside_a_build_function_is_not_one(tmp_path):
    (tmp_path / "space.py").write_text(
        f"{SOUND}\ndef build(hp):\n    return model_of()\n\ndef fit(hp, model):\n    1 / 0\n"
    )
    assert SpaceHyperModel(f"{tmp_path}/space.py:build", DataSpec((8, 8, 3), 2)).own_fit is None


@pytest.mark.parametrize(
    "fit",
    [
        "def fit(self, hp, model, x, y, validation_data=None, **kwargs):\n"
        "    return model.fit(x, y, batch_size=hp.Int('size', 4, 8), **kwargs)",
        "def fit(self, hp, model, x, y, validation_data, callbacks=None):\n"
        "    hp.Int('size', 4, 8)\n    return model.fit(x, y, callbacks=callbacks)",
        "def fit(self, hp, model, **kwargs):\n"
        "    return model.fit(batch_size=hp.Int('size', 4, 8), verbose=2, **kwargs)",
        "def fit(self, hp, model, *args, **kwargs):\n"
        "    kwargs['batch_size'] = hp.Int('size', 4, 8)\n    return super().fit(hp, model, *args, **kwargs)",
        "def fit(self, hp, model, x_train, y_train, **kwargs):\n"
        "    hp.Int('size', 4, 8)\n    return model.fit(x_train, y_train, epochs=3, callbacks=[], **kwargs)",
    ],
    ids=["named", "without kwargs", "by name", "of the base class", "other names"],
)
def test_every_usual_form_is_taken(tmp_path, fit):
    assert declared(space(tmp_path, fit))[0] == ["units", "size"]


def test_a_loop_of_its_own_declares_up_to_its_first_callback(tmp_path):
    fit = """
def fit(self, hp, model, x, y, callbacks=None, **kwargs):
    rate = hp.Float("rate", 0.1, 0.2)
    for epoch in range(10**9):
        for callback in callbacks:
            callback.set_model(model)
            callback.on_epoch_end(epoch, logs={})
"""
    names, _, notes = declared(space(tmp_path, fit))
    assert names == ["units", "rate"]
    assert "loop" in notes[0]


@pytest.mark.parametrize(("own", "told"), [("epochs=3", True), ("shuffle=False", False)])
def test_its_number_of_epochs_is_told(tmp_path, own, told):
    notes = declared(space(tmp_path, passing(own)))[2]
    assert any("3" in note and "--max-epochs" in note for note in notes) == told


@pytest.mark.parametrize(
    ("fixed", "change", "told"),
    [
        (("batch_size", 64), "batch_size=8", True),
        (("batch_size", 64), "shuffle=False", False),
        (("class_weights", "auto"), "class_weight={0: 1.0, 1: 2.0}", True),
        (("class_weights", "auto"), "shuffle=False", False),
    ],
)
def test_an_option_that_fit_overrides_is_told(tmp_path, fixed, change, told):
    notes = declared(space(tmp_path, passing(change), fixed=(fixed,)))[2]
    option = f"--{fixed[0].replace('_', '-')}"
    assert any(option in note for note in notes) == told


def test_a_batch_size_of_the_request_is_the_only_one_of_a_hyperparameter(tmp_path):
    hypermodel = space(tmp_path, passing(FROM_HP), fixed=(("batch_size", 64),))
    hp = hypermodel.hyperparameters()
    notes = hypermodel.declare_fit(hp, build_model(hypermodel, {}, Data, hp), IMAGES, LABELS)
    assert hp.values["batch_size"] == 64
    assert not any("--batch-size" in note for note in notes)


@pytest.mark.parametrize("scaled", ["x / 255.0", "(x - 127.5) / 127.5", "(x - x.mean()) / x.std()"])
def test_pixels_scaled_in_fit_are_refused_since_the_finished_model_would_see_others(tmp_path, scaled):
    fit = f"def fit(self, hp, model, x, y, **kwargs):\n    return model.fit({scaled}, y, **kwargs)"
    with pytest.raises(TrialError, match="Rescaling"):
        declared(space(tmp_path, fit))


def test_its_errors_are_told_with_their_line(tmp_path):
    with pytest.raises(TrialError, match=r"KeyError.*space\.py, line"):
        declared(space(tmp_path, "def fit(self, hp, model, *args, **kwargs):\n    {}['missing']"))


def test_augmentation_that_fit_does_not_use_is_refused(tmp_path):
    fit = passing() + "\ndef training(self, hp):\n    hp.Boolean('horizontal_flip')"
    with pytest.raises(SpaceError, match="horizontal_flip"):
        declared(space(tmp_path, fit))


def test_a_hyperparameter_of_a_branch_in_fit_is_searched_under_its_condition(tmp_path):
    fit = """
def fit(self, hp, model, *args, callbacks=(), **kwargs):
    if hp.Boolean("stops"):
        own = keras.callbacks.EarlyStopping(patience=hp.Int("wait", 1, 3))
        callbacks = [own, *callbacks]
    return model.fit(*args, callbacks=callbacks, **kwargs)
"""
    hypermodel = space(tmp_path, fit)
    hp = hypermodel.hyperparameters()
    hypermodel.declare_fit(hp, build_model(hypermodel, {}, Data, hp), IMAGES, LABELS)
    whole, notes = SearchSpace(hypermodel.reference, hypermodel.spec).unfold(hp.get_config())
    assert [each.name for each in whole.space] == ["units", "stops", "wait"]
    assert [(each.name, each.values) for each in whole.space[2].conditions] == [("stops", [True])]
    assert len([note for note in notes if "changes nothing" in note]) == 0


def test_the_number_of_epochs_may_be_a_hyperparameter_of_fit(tmp_path):
    hypermodel = space(tmp_path, passing('epochs=hp.Int("epochs", 1, 3)'))
    whole, _ = SearchSpace(hypermodel.reference, hypermodel.spec).unfold(
        hypermodel.hyperparameters().get_config()
    )
    assert [each.name for each in whole.space] == ["units", "epochs"]


def test_what_it_declares_after_a_first_training_is_in_the_space_too(tmp_path):
    fit = """
def fit(self, hp, model, *args, epochs=1, **kwargs):
    first = model.fit(*args, epochs=2, **kwargs)
    best = max(first.history["val_accuracy"])
    model.optimizer.learning_rate = hp.Float("fine_rate", 0.001, 0.01)
    model.fit(*args, epochs=3, **kwargs)
    model.save("/nowhere/model.keras")
    return {"val_accuracy": best}
"""
    names, _, notes = declared(space(tmp_path, fit))
    assert names == ["units", "fine_rate"]
    assert any("5" in note and "--max-epochs" in note for note in notes)


def faults(hypermodel):
    return {finding.check: finding.problem for finding in run_checks(hypermodel) if finding.problem}


def test_a_sound_fit_passes_the_checks_of_a_space(tmp_path):
    stops = 'callbacks=[keras.callbacks.EarlyStopping(patience=hp.Int("patience", 1, 3))]'
    assert faults(space(tmp_path, passing(FROM_HP, 'epochs=hp.Int("epochs", 1, 3)', stops))) == {}


def test_a_fit_that_scales_pixels_fails_its_check(tmp_path):
    fit = "def fit(self, hp, model, x, y, **kwargs):\n    return model.fit(x / 255, y, **kwargs)"
    (found,) = faults(space(tmp_path, fit)).values()
    assert "Rescaling" in found


def test_the_overview_of_a_space_has_the_hyperparameters_and_the_note_of_a_fit(tmp_path):
    hypermodel = space(tmp_path, passing(FROM_HP))
    found = overview(SearchSpace(hypermodel.reference, hypermodel.spec))
    assert [(each.name, each.part) for each in found.hyperparameters] == [
        ("units", "model"),
        ("batch_size", "training"),
    ]
    assert any("fit" in note for note in found.notes)
