"""Sample models of a space, built for its checks and its overview without data or pretrained weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import keras
import keras_tuner as kt
import numpy as np

from tuner.errors import SpaceError, TunerError
from tuner.spaces import unfolding
from tuner.spaces.configurations import Values, effective, key, required_values, tried_values
from tuner.spaces.fingerprint import fingerprint, outputs_of, sample_images
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.own_fit import active_in, declared_on_samples
from tuner.spaces.restriction import RestrictedHyperParameters, wanted_values
from tuner.spaces.unfolding import Build, Unfolded, unfold
from tuner.spaces.weights import NO_WEIGHTS, WEIGHTS
from tuner.training.build import blaming_the_space, build_model, probabilities
from tuner.training.error_text import first_line
from tuner.training.labels import label_encoding
from tuner.training.loop import make_loop
from tuner.training.moving_statistics import statistics_batches
from tuner.training.task import TrialError
from tuner.training.trial import load_space

# The short training of a check.
TRAINED_STEPS, TRAINED_BATCH, TRAINED_EPOCHS = 4, 16, 3

# All the largest values at once may give a model that no trial can have; 800 MB in float32.
MAX_WEIGHTS = 200_000_000


# A random choice of two is the same for all of these in one case of eight.
OTHER_SEEDS = (1, 2, 3)


class SampleHyperParameters(RestrictedHyperParameters):
    """Hyperparameters for which a fixed `weights` is "none", whatever the space says: nothing is fetched.

    Args:
        wanted: Values by name, as text; all values of other names.
    """

    def __init__(self, wanted: Mapping[str, list[str]] = MappingProxyType({})) -> None:
        super().__init__(wanted)
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


def build_sample(hypermodel: SpaceHyperModel, values: Values, seed: int = 0) -> SampleModel:
    """Build one configuration; hyperparameters without a value have their default.

    Weights and layer names depend on the values and the seed alone.

    Raises:
        TrialError: build raised, or gave no compiled Keras model with suitable outputs and loss.
        SpaceError: the space cannot be found or imported.
    """
    keras.utils.clear_session(free_memory=False)  # layer names count from zero again
    load_space(hypermodel)
    keras.utils.set_random_seed(seed)
    spec = hypermodel.spec
    images: Any = _Images(spec.image_shape, tuple(map(str, range(spec.num_classes))))
    wanted = wanted_values(hypermodel.only, hypermodel.presets)
    hp = SampleHyperParameters({name: texts for name, texts in wanted.items() if name != WEIGHTS})
    hp.fix(hypermodel.fixed_in_build)
    model = build_model(hypermodel, values, images, hp)
    label_encoding(model, spec.image_shape)  # raises where no labels suit the loss and the outputs
    return SampleModel(model, hp)


class _TooLargeError(Exception):
    pass


@contextmanager
def _of_limited_size() -> Iterator[None]:
    """Let models of more than MAX_WEIGHTS numbers raise instead of filling the memory."""
    made = 0
    add_weight = keras.layers.Layer.add_weight

    def counted(layer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal made
        made += math.prod(shape or ())
        if made > MAX_WEIGHTS:
            raise _TooLargeError
        return add_weight(layer, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


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


@dataclass
class Subject:
    """A space under test. Each configuration is built once, however many checks look at it."""

    hypermodel: SpaceHyperModel
    max_seconds: float = field(default_factory=lambda: unfolding.MAX_SECONDS)
    """Time for the builds that look for hyperparameters."""
    built: dict[str, tuple[Values, str]] = field(default_factory=dict)
    of_fit: set[str] = field(default_factory=set)  # names that a fit alone has declared
    failures: list[str] = field(default_factory=list)
    """Configurations that could not be built, with the error."""

    @cached_property
    def default(self) -> SampleModel:
        return build_sample(self.hypermodel, {})

    @cached_property
    def outputs(self) -> np.ndarray:
        """Outputs of the untrained default model for raw pixels."""
        return outputs_of(self.default.model, self.hypermodel.spec)

    @cached_property
    def repeats(self) -> bool:
        """True if the default configuration is the same model whatever random numbers its build draws."""
        spec = self.hypermodel.spec
        again = (build_sample(self.hypermodel, {}, seed) for seed in OTHER_SEEDS)
        before = fingerprint(self.default.model, spec)
        return all(fingerprint(sample.model, spec) == before for sample in again)

    @cached_property
    def unfolded(self) -> Unfolded:
        """All hyperparameters of the model."""
        return unfold(self._build, max_seconds=self.max_seconds)

    @cached_property
    def space(self) -> kt.HyperParameters:
        """The whole space of the model, with default values."""
        whole = kt.HyperParameters()
        whole.merge(self.unfolded.parameters)
        return whole

    @cached_property
    def tunable(self) -> list[Any]:
        """Hyperparameters of the model that have something to tune, as far as no weights are pretrained."""
        return [
            parameter
            for parameter in self.space.space
            if len(tried_values(parameter)) > 1
            and NO_WEIGHTS in required_values(self.space.space, parameter).get(WEIGHTS, [NO_WEIGHTS])
        ]

    @cached_property
    def training(self) -> list[Any]:
        """Hyperparameters that `training` declares."""
        hp = self.default.hp.copy()
        names = training_names(self.hypermodel, hp)
        return [parameter for parameter in hp.space if parameter.name in names]

    def fingerprint(self, values: Values) -> str:
        """Return the fingerprint of a configuration, building it the first time."""
        values = effective(self.space, self.space.values | values)
        if key(values) not in self.built:
            self.built[key(values)] = values, self.fresh_fingerprint(values)
        return self.built[key(values)][1]

    def fresh_fingerprint(self, values: Values) -> str:
        """Build a model and return its fingerprint."""
        try:
            sample = build_sample(self.hypermodel, values)
        except TrialError as error:
            raise TrialError(error.reason, f"with {self.shown(values)}: {error}") from error
        return self._fingerprint(sample)

    def _fingerprint(self, sample: SampleModel) -> str:
        """Return the fingerprint of a model, and of the values that its fit declares in `sample` now."""
        fit, spec = self.hypermodel.own_fit, self.hypermodel.spec
        found = fingerprint(sample.model, spec)
        if fit is None:
            return found
        own = declared_on_samples(fit, sample.hp, sample.model, sample_images(spec), spec.num_classes)
        self.of_fit.update(own)
        return f"{found} {key(own)}"

    def _build(self, values: Values) -> Build | None:
        try:
            with _of_limited_size():
                sample = build_sample(self.hypermodel, values) if values else self.default
        except _TooLargeError:
            return None
        except TrialError as error:
            if isinstance(error.__cause__, _TooLargeError):
                return None
            self.failures.append(f"with {self.shown(values)}: {error}")
            return None
        made = self._fingerprint(sample)
        active = active_in(sample.hp)
        found = Build(tuple(sample.hp.space), active, made)
        self.built[key(active)] = active, found.fingerprint
        return found

    def shown(self, values: Values) -> str:
        """Return the values of a configuration that differ from the default, as text."""
        usual = self.default.hp.values
        different = {name: value for name, value in values.items() if usual.get(name, value) != value}
        return ", ".join(f"{name}={value}" for name, value in different.items()) or "its defaults"
