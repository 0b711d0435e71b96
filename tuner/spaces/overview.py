"""An overview of a search space: hyperparameters, number of configurations, presets, size of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras_tuner as kt

from tuner.errors import SpaceError
from tuner.spaces.configurations import Values, all_values, is_continuous, is_range, space_size
from tuner.spaces.own_fit import sample_data
from tuner.spaces.sample_models import build_sample, sample_images, training_names
from tuner.spaces.search_space import SearchSpace
from tuner.training.flops import count_flops
from tuner.training.task import TrialError


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter as people read it: values like '20..100 step 20' or 'relu, tanh'."""

    name: str
    part: Literal["model", "training"]
    values: str
    default: Any
    condition: str | None


@dataclass(frozen=True)
class Overview:
    """A space, for images of one shape as (height, width, channels)."""

    space: str
    image_shape: tuple[int, int, int]
    num_classes: int
    hyperparameters: tuple[Hyperparameter, ...]
    num_configurations: int | None
    """None: infinite, or too many to count."""
    continuous: tuple[str, ...]
    """Names of the hyperparameters with infinitely many values."""
    presets: dict[str, Values]
    num_params: int
    """Of the default model."""
    flops: int
    """Of the default model for one image; a multiply-add counts as two."""
    notes: tuple[str, ...]
    """Sentences for the user, such as parts of the space that a search does not use."""


def overview(hypermodel: SearchSpace) -> Overview:
    """Build the default model without pretrained weights, and describe the space.

    Raises:
        SpaceError: the space cannot be found, imported or built.
    """
    try:
        sample = build_sample(hypermodel, {})
    except TrialError as error:
        raise SpaceError(f"search space '{hypermodel.reference}': {error}") from error
    spec = hypermodel.spec
    images = sample_images(spec)
    flops, about_model = count_flops(sample.model, spec.image_shape), hypermodel.notes(sample.model, images)
    try:  # last, because it may train the model
        about_fit = hypermodel.declare_fit(sample.hp, sample.model, *sample_data(images, spec.num_classes))
    except TrialError as error:
        raise SpaceError(f"search space '{hypermodel.reference}': {error}") from error
    of_training = training_names(hypermodel, sample.hp)
    hp, notes = hypermodel.unfold(sample.hp.get_config())
    for parameter in hp.space:
        if parameter.name in sample.hp.replaced:
            parameter.value = sample.hp.replaced[parameter.name]
    rows = tuple(
        Hyperparameter(
            parameter.name,
            "training" if parameter.name in of_training else "model",
            describe_values(parameter),
            parameter.default,
            describe_conditions(parameter, hp),
        )
        for parameter in hp.space
    )
    return Overview(
        space=hypermodel.reference,
        image_shape=spec.image_shape,
        num_classes=spec.num_classes,
        hyperparameters=rows,
        num_configurations=space_size(hp),
        continuous=tuple(parameter.name for parameter in hp.space if is_continuous(parameter)),
        presets=hypermodel.presets,
        num_params=int(sample.model.count_params()),
        flops=flops,
        notes=(*notes, *about_model, *about_fit),
    )


def describe_values(parameter: Any) -> str:
    """Return the values of a hyperparameter: 'relu, tanh', '20..100 step 20', '0.0001..0.01 log', 'fixed'."""
    types = kt.engine.hyperparameters
    if isinstance(parameter, types.Fixed):
        return "fixed"
    if not is_range(parameter):
        return ", ".join(map(str, parameter.values))
    scale = "" if parameter.sampling == "linear" else f" {parameter.sampling}"
    one_by_one = parameter.step is None or (parameter.step == 1 and isinstance(parameter, types.Int))
    step = "" if one_by_one else f" step {parameter.step}"
    return f"{parameter.min_value}..{parameter.max_value}{step}{scale}"


def describe_conditions(parameter: Any, space: kt.HyperParameters) -> str | None:
    """Return when a hyperparameter has an effect: 'num_blocks = 3 or 4'; None where it always has one."""
    texts = []
    for condition in parameter.conditions:
        parents = [each for each in space.space if each.name == condition.name]
        if not all(_has_only(each, condition.values) for each in parents):
            texts.append(f"{condition.name} = {' or '.join(map(str, condition.values))}")
    return "; ".join(texts) or None


def _has_only(parameter: Any, values: Sequence[Any]) -> bool:
    """True where a hyperparameter has no other values; a fixed one may be replaced."""
    if isinstance(parameter, kt.engine.hyperparameters.Fixed) or is_continuous(parameter):
        return False
    return set(all_values(parameter)) <= set(values)
