"""Sample models of a space, built for its checks and its overview without data or pretrained weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import keras
import keras_tuner as kt
import numpy as np

from search_spaces import DataSpec
from tuner.errors import SpaceError, TunerError
from tuner.spaces.configurations import Values, all_values, effective, is_continuous, key, walk
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.weights import NO_WEIGHTS, WEIGHTS
from tuner.training.build import blaming_the_space, build_model, first_line, probabilities
from tuner.training.loop import make_loop
from tuner.training.moving_statistics import statistics_batches
from tuner.training.task import TrialError
from tuner.training.trial import load_space

# The short training of a check.
TRAINED_STEPS, TRAINED_BATCH, TRAINED_EPOCHS = 4, 16, 3
MAX_TRIED = 6
"""Number of values tried of a longer range, spread evenly from end to end."""


class SampleHyperParameters(kt.HyperParameters):  # type: ignore[misc]
    """Hyperparameters for which a fixed `weights` is "none", whatever the space says: nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        # Names declared a second time with another range, which has no effect.
        self.ambiguous: list[str] = []
        # The values that "none" replaces.
        self.replaced: Values = {}

    def Fixed(self, name: str, value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        if name == WEIGHTS:
            self.replaced[name] = value
            self.values[name] = value = NO_WEIGHTS
        return super().Fixed(name, value, *args, **kwargs)

    def _retrieve(self, hp: Any) -> Any:
        for known in self._hps[hp.name]:
            if known.conditions == hp.conditions and known.get_config() != hp.get_config():
                self.ambiguous.append(hp.name)
        return super()._retrieve(hp)


@dataclass(frozen=True)
class SampleModel:
    """A built model, and the hyperparameters as it declared them."""

    model: Any
    hp: SampleHyperParameters


@dataclass(frozen=True)
class _Images:
    """The properties of a data set that a build needs."""

    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]


def build_sample(hypermodel: SpaceHyperModel, values: Values) -> SampleModel:
    """Build one configuration; hyperparameters without a value have their default.

    Weights and layer names depend on the values alone.

    Raises:
        TrialError: build raised, or gave no compiled Keras model with an output per class.
        SpaceError: the space cannot be found or imported.
    """
    keras.utils.clear_session(free_memory=False)  # layer names count from zero again
    load_space(hypermodel)
    keras.utils.set_random_seed(0)
    spec = hypermodel.spec
    images: Any = _Images(spec.image_shape, tuple(map(str, range(spec.num_classes))))
    hp = SampleHyperParameters()
    return SampleModel(build_model(hypermodel, values, images, hp), hp)


def training_names(hypermodel: SpaceHyperModel, hp: kt.HyperParameters) -> tuple[str, ...]:
    """Let the space declare the hyperparameters of the training in `hp`; return their names.

    Raises:
        SpaceError: it declares a hyperparameter unknown to the training, or raises.
    """
    try:
        return hypermodel.training(hp)
    except TunerError:
        raise
    except Exception as error:  # it is the user's code
        raise SpaceError(f"training(hp) raises {type(error).__name__}: {first_line(error)}") from error


def fingerprint(model: Any, spec: DataSpec) -> str:
    """Return a text that is equal for models that train alike from the same weights.

    It covers the layers with their settings, what is trainable, the optimizer and the loss. Of a model that
    cannot be written down it covers the outputs for a few images instead of the layers.
    """
    try:
        layers = model.to_json()
    except (NotImplementedError, TypeError, ValueError):
        layers = outputs_of(model, spec).tobytes().hex()
    variables = [(list(each.shape), each.trainable) for each in model.variables]
    parts = [layers, variables, _config(model.optimizer), _config(model.loss)]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def sample_images(spec: DataSpec) -> np.ndarray:
    """Return raw pixels of six images: a black, a grey and a white one, and three of noise."""
    rng = np.random.default_rng(0)
    flat = [np.full(spec.image_shape, level) for level in (0, 128, 255)]
    noise = [rng.integers(0, high, spec.image_shape) for high in (64, 128, 256)]
    return np.stack([*flat, *noise]).astype(np.uint8)


def outputs_of(model: Any, spec: DataSpec) -> np.ndarray:
    """Return the outputs (6, n) for the sample images."""
    return np.asarray(keras.ops.convert_to_numpy(model(sample_images(spec), training=False)))


def accuracies_after_training(hypermodel: SpaceHyperModel) -> tuple[float, float]:
    """Train the default model on a few images that differ in brightness by class.

    Returns:
        Its accuracies on these images in training mode and in inference mode.
    """
    spec = hypermodel.spec
    rng = np.random.default_rng(0)
    labels = np.arange(TRAINED_STEPS * TRAINED_BATCH) % spec.num_classes
    bright = np.linspace(64, 192, spec.num_classes)[labels].reshape(-1, 1, 1, 1)
    images = rng.normal(bright, 32, (len(labels), *spec.image_shape)).clip(0, 255).astype(np.uint8)
    model = build_sample(hypermodel, {}).model
    with blaming_the_space():
        loop = make_loop(model, images, labels)
        order = rng.permutation(len(labels))
        for _ in range(TRAINED_EPOCHS):
            loop.train_epoch(order, TRAINED_BATCH, lambda *_: None)
        loop.renew_statistics(statistics_batches(order, TRAINED_BATCH))
        in_inference = np.asarray(loop.predict(order))
        in_training = [
            keras.ops.convert_to_numpy(model(images[batch], training=True))
            for batch in order.reshape(TRAINED_STEPS, -1)
        ]
    found = [
        float(np.mean(probabilities(model, np.asarray(each)).argmax(axis=1) == labels[order]))
        for each in (np.concatenate(in_training), in_inference)
    ]
    return found[0], found[1]


def tried_values(parameter: Any) -> Sequence[Any]:
    """Return all values of a Choice, a Boolean or a short range; of a long one some, with both ends."""
    if is_continuous(parameter):
        return [parameter.min_value, parameter.prob_to_value(0.5), parameter.max_value]
    values = all_values(parameter)
    if len(values) <= MAX_TRIED or isinstance(parameter, kt.engine.hyperparameters.Choice):
        return values
    return [values[round(i * (len(values) - 1) / (MAX_TRIED - 1))] for i in range(MAX_TRIED)]


def is_value(parameter: Any, value: Any) -> bool:
    """True for a value of the hyperparameter; a fixed one may be replaced by any value of its type."""
    if isinstance(parameter, kt.engine.hyperparameters.Fixed):
        return isinstance(value, type(parameter.value))
    if is_continuous(parameter):
        return bool(parameter.min_value <= value <= parameter.max_value)
    return value in all_values(parameter)


def configuration_with(space: kt.HyperParameters, target: Any, preferred: set[tuple[str, Any]]) -> Values:
    """Return a configuration in which a hyperparameter is active, if there is one.

    Args:
        preferred: Names and values that are taken where the target allows them; the rest are defaults.
    """
    required = required_values(space, target)

    def choose(parameter: Any) -> Any:
        allowed = required.get(parameter.name, tried_values(parameter))
        wanted = (value for value in allowed if (parameter.name, value) in preferred)
        default = parameter.default
        usual = allowed if parameter.name in required and default not in allowed else ()
        return next(chain(wanted, usual, (default,)))

    return walk(space, choose)


@dataclass
class Subject:
    """A space under test. Each configuration is built once, however many checks look at it."""

    hypermodel: SpaceHyperModel
    built: dict[str, tuple[Values, str]] = field(default_factory=dict)
    undeclared: list[str] = field(default_factory=list)

    @cached_property
    def default(self) -> SampleModel:
        return build_sample(self.hypermodel, {})

    @cached_property
    def outputs(self) -> np.ndarray:
        """Outputs of the untrained default model for raw pixels."""
        return outputs_of(self.default.model, self.hypermodel.spec)

    @property
    def space(self) -> SampleHyperParameters:
        return self.default.hp

    @cached_property
    def tunable(self) -> list[Any]:
        """Hyperparameters of the model that have something to tune, as far as no weights are pretrained."""
        return [
            parameter
            for parameter in self.space.space
            if len(tried_values(parameter)) > 1
            and NO_WEIGHTS in required_values(self.space, parameter).get(WEIGHTS, [NO_WEIGHTS])
        ]

    @cached_property
    def training(self) -> list[Any]:
        """Hyperparameters that `training` declares."""
        hp = self.space.copy()
        names = training_names(self.hypermodel, hp)
        return [parameter for parameter in hp.space if parameter.name in names]

    def fingerprint(self, values: Values) -> str:
        """Return the fingerprint of a configuration, building it the first time."""
        values = effective(self.space, self.space.values | values)
        if key(values) not in self.built:
            self.built[key(values)] = values, self.fresh_fingerprint(values)
        return self.built[key(values)][1]

    def fresh_fingerprint(self, values: Values) -> str:
        """Build a model and return its fingerprint; note hyperparameters that only this build declares."""
        try:
            sample = build_sample(self.hypermodel, values)
        except TrialError as error:
            raise TrialError(error.reason, f"with {self.shown(values)}: {error}") from error
        known = {parameter.name for parameter in self.space.space}
        late = [parameter.name for parameter in sample.hp.space if parameter.name not in known]
        self.undeclared += [f"'{name}' with {self.shown(values)}" for name in late]
        return fingerprint(sample.model, self.hypermodel.spec)

    def shown(self, values: Values) -> str:
        """Return the values of a configuration that differ from the default, as text."""
        usual = self.space.values
        different = {name: value for name, value in values.items() if usual.get(name, value) != value}
        return ", ".join(f"{name}={value}" for name, value in different.items()) or "its defaults"


def required_values(space: kt.HyperParameters, target: Any) -> dict[str, Sequence[Any]]:
    """Return the values that the parents of a hyperparameter need, and their parents, for it to be active."""
    required: dict[str, Sequence[Any]] = {}
    for condition in target.conditions:
        parent = next(each for each in space.space if each.name == condition.name)
        required |= required_values(space, parent)
        before = required.get(condition.name, condition.values)
        required[condition.name] = [
            value for value in condition.values if value in before and is_value(parent, value)
        ]
    return required


def _config(part: Any) -> Any:
    """Return the settings of an optimizer or a loss, or the name of a function."""
    if hasattr(part, "get_config"):
        return [type(part).__name__, part.get_config()]
    return getattr(part, "__name__", part)
