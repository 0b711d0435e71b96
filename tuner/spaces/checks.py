"""Checks of a search space: each finds a fault that would make its searches misleading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras_tuner as kt
import numpy as np

from search_spaces import DataSpec
from tuner.errors import SpaceError
from tuner.spaces.configurations import Values, active_values, is_value, tried_values
from tuner.spaces.fingerprint import outputs_of, sample_images
from tuner.spaces.hypermodel import SpaceHyperModel, refuse_epochs
from tuner.spaces.notes import capitalized
from tuner.spaces.own_fit import sample_data
from tuner.spaces.pixel_range import REMEDY, unscaled
from tuner.spaces.sample_models import (
    SampleHyperParameters,
    Subject,
    accuracies_after_training,
    build_sample,
)
from tuner.spaces.saving import not_read_back
from tuner.spaces.search_space import SearchSpace, defaults_outside
from tuner.spaces.training_step import train_one_step
from tuner.spaces.weights import WEIGHTS
from tuner.training.build import not_probabilities, probabilities
from tuner.training.error_text import first_line
from tuner.training.recipe import TRAINING_IN_BUILD, TRAINING_NAMES
from tuner.training.task import TrialError

MAX_SECONDS = 300.0
"""Time for the builds that look for hyperparameters."""
SURE = 0.999
"""Probability above which an untrained model does not see the pixels in the range that it expects."""
LOST_ACCURACY = 0.2
"""Accuracy that the change from training mode to inference mode may cost by chance."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    problem: str | None
    """What is wrong and what to do; None where nothing is wrong."""


Check = Callable[[Subject], Iterator[str]]
"""Yields what is wrong with a space and what to do, the first problem first."""


def run_checks(hypermodel: SpaceHyperModel) -> Iterator[Finding]:
    """Run each check in turn; where the default model cannot be built, only the first.

    Raises:
        SpaceError: the space cannot be found or imported.
    """
    subject = Subject(hypermodel, MAX_SECONDS)
    try:
        _ = subject.default
    except TrialError as error:
        yield Finding(BUILDS, str(error))
        return
    yield Finding(BUILDS, None)
    checks = CHECKS if hypermodel.own_fit is None else CHECKS | CHECKS_OF_FIT
    for sentence, check in checks.items():
        yield Finding(sentence, problem(check, subject))


def notes_beside(hypermodel: SearchSpace, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return what a search would say of a space before it starts, and these findings do not."""
    try:
        sample = build_sample(hypermodel, {})
        notes = hypermodel.notes(sample.model, sample_images(hypermodel.spec))
    except (TrialError, SpaceError):  # a finding says it
        return ()
    told = {capitalized(finding.problem) for finding in findings if finding.problem}
    return tuple(text for text in notes if text not in told)


def problem(check: Check, subject: Subject) -> str | None:
    """Return the first problem that a check finds, or the error that the space raises; None for neither."""
    try:
        return next(check(subject), None)
    except (TrialError, SpaceError) as error:
        return str(error)


def gives_probabilities(subject: Subject) -> Iterator[str]:
    model, outputs = subject.default.model, subject.outputs
    if not np.isfinite(outputs).all():
        yield "the untrained model gives NaN or infinity. Look at its activations and initializers."
    elif fault := not_probabilities(model, outputs):
        yield fault


def scales_pixels(subject: Subject) -> Iterator[str]:
    yield from unscaled(subject.default.model, sample_images(subject.hypermodel.spec))
    if any(gives_probabilities(subject)):
        return  # the outputs say nothing of the pixels then
    surest = probabilities(subject.default.model, subject.outputs).max()
    if surest >= SURE:
        yield (f"raw pixels 0..255 make the untrained model sure of a class ({surest:.2%}). {REMEDY}")


def trains_and_is_saved(subject: Subject) -> Iterator[str]:
    model, spec = build_sample(subject.hypermodel, {}).model, subject.hypermodel.spec
    if subject.hypermodel.own_fit is None and (
        fault := train_one_step(model, spec.image_shape, spec.num_classes)
    ):
        yield fault
    _ = [*not_read_back(model, sample_images(spec))]  # raises where it cannot be saved


def repeats_itself(subject: Subject) -> Iterator[str]:
    if not subject.repeats:
        yield "two builds of the default configuration differ. Let nothing but hp and spec decide."


def defaults_are_values(subject: Subject) -> Iterator[str]:
    yield from defaults_outside(subject.space.space)


def names_have_one_range(subject: Subject) -> Iterator[str]:
    for name in (*subject.default.hp.ambiguous, *subject.unfolded.ambiguous):
        yield (
            f"'{name}' is declared twice, and Keras Tuner keeps the first range only. "
            "Give the second another name, e.g. with a number."
        )


def values_change_the_model(subject: Subject) -> Iterator[str]:
    for name in subject.unfolded.idle:
        yield (
            f"'{name}' changes nothing: its values give the same model. Use it in build, put it in a "
            "conditional_scope, or leave it out."
        )
    reachable = {parameter.name for parameter in subject.tunable}
    for name in reachable.intersection(subject.unfolded.unreached):
        yield f"'{name}' is never active. Look at its conditional_scope."


def inactive_values_change_nothing(subject: Subject) -> Iterator[str]:
    def inactive(values: Values) -> list[Any]:
        return [parameter for parameter in subject.tunable if parameter.name not in values]

    subject.fingerprint({})
    values, before = max(subject.built.values(), key=lambda case: len(inactive(case[0])))
    unused = {parameter.name: tried_values(parameter)[-1] for parameter in inactive(values)}
    if unused and subject.fresh_fingerprint(values | unused) != before:
        yield (
            f"with {subject.shown(values)} the model depends on {' or '.join(unused)}, "
            "inactive there. Use only the values that hp.Int, hp.Choice, ... return; where one is None, none."
        )


def other_values_build(subject: Subject) -> Iterator[str]:
    """Name the tried configurations that cannot be built. Together they hold every value."""
    untried = subject.unfolded.untried
    yield from subject.failures
    if untried:
        yield (
            f"{untried} values were not built within {subject.max_seconds:.0f} s, and may bring more "
            "hyperparameters. Make the default model smaller, or the ranges shorter."
        )


def classes_change_the_output_only(subject: Subject) -> Iterator[str]:
    spec = subject.hypermodel.spec
    other = replace(subject.hypermodel, spec=DataSpec(spec.image_shape, 3 if spec.num_classes == 2 else 2))
    hp = SampleHyperParameters()
    try:
        num_outputs = outputs_of(other.build(hp), other.spec).shape[-1]
    except Exception as error:  # it is the user's code
        raised = f"{type(error).__name__}: {first_line(error)}"
        yield f"with {other.spec.num_classes} classes build raises {raised}"
        return
    has_own_classes = num_outputs == subject.outputs.shape[-1]  # as a build(hp) has, which knows no spec
    if not has_own_classes and hp.get_config()["space"] != subject.default.hp.get_config()["space"]:
        yield "the hyperparameters depend on the number of classes. Let the output and the loss alone do so."


def training_is_understood(subject: Subject) -> Iterator[str]:
    names = {parameter.name for parameter in subject.space.space} - subject.of_fit
    refuse_epochs(names)
    allowed = () if subject.hypermodel.has_training else TRAINING_IN_BUILD
    for taken in sorted(names.intersection(TRAINING_NAMES) - {*allowed}):
        yield f"build declares '{taken}', which the training applies. Declare it in training(hp)."
    _ = subject.training  # raises where a name or a value is unknown to the training


def fit_takes_the_images(subject: Subject) -> Iterator[str]:
    hypermodel = subject.hypermodel
    sample = build_sample(hypermodel, {})
    data = sample_data(sample_images(hypermodel.spec), hypermodel.spec.num_classes)
    hypermodel.declare_fit(sample.hp, sample.model, *data)  # raises where it does not
    yield from ()


def inference_is_as_good_as_training(subject: Subject) -> Iterator[str]:
    if any(gives_probabilities(subject)):
        return  # there is no accuracy then
    in_training, in_inference = accuracies_after_training(subject.hypermodel)
    if in_inference < in_training - LOST_ACCURACY:
        yield (
            f"after a short training {in_training:.0%} of the training images are right in training mode "
            f"and {in_inference:.0%} in inference mode. Look at what layers of your own do with `training`, "
            "such as moving statistics with a large momentum."
        )


def presets_are_configurations(subject: Subject) -> Iterator[str]:
    if not subject.hypermodel.presets:
        return
    whole = kt.HyperParameters()
    whole.merge([*subject.space.space, *subject.training])
    for name, values in subject.hypermodel.presets.items():
        # With the weights of the space, which the models here are built without.
        configuration = completed(whole, subject.default.hp.replaced | values)
        for parameter in whole.space:
            value = values.get(parameter.name, parameter.default)
            if parameter.name in configuration and not is_value(parameter, value):
                yield f"preset '{name}': '{parameter.name}' cannot be {value}."
        for lost in [each for each in values if each not in configuration]:
            yield f"preset '{name}': there is no '{lost}', or it is inactive. Leave it out."
        for missing in [each for each in configuration if each not in values and each != WEIGHTS]:
            yield (
                f"preset '{name}' leaves '{missing}' open. "
                f"Name every hyperparameter that is active in it, but for {WEIGHTS}."
            )
        try:
            subject.fingerprint(configuration)
        except TrialError as error:
            yield f"preset '{name}' {error}"


def completed(space: kt.HyperParameters, values: Values) -> Values:
    """Return the configuration with these values where they are active, and defaults."""
    return {parameter.name: value for parameter, value in active_values(space, values)}


BUILDS = "build gives a compiled model that suits the data"
CHECKS: dict[str, Check] = {
    "raw pixels give probabilities": gives_probabilities,
    "pixels are scaled inside": scales_pixels,
    "the model trains and can be saved": trains_and_is_saved,
    "the same configuration gives the same model": repeats_itself,
    "every default is one of the values": defaults_are_values,
    "a name has one range": names_have_one_range,
    "every active hyperparameter changes the model": values_change_the_model,
    "an inactive hyperparameter changes nothing": inactive_values_change_nothing,
    "every value can be built": other_values_build,
    "the hyperparameters do not depend on the classes": classes_change_the_output_only,
    "training declares what the training can do": training_is_understood,
    "a trained model is as good in inference as in training": inference_is_as_good_as_training,
    "every preset is a configuration of the space": presets_are_configurations,
}
CHECKS_OF_FIT: dict[str, Check] = {"its own fit takes the images as they are": fit_takes_the_images}
