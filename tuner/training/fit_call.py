"""The call of a user's own `fit`: its arguments, and those with which it calls `model.fit`."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tuner.training.build import blaming_the_space
from tuner.training.labels import LabelEncoding, label_encoding
from tuner.training.pixels import pixels_of, scaled
from tuner.training.task import TrialError
from tuner.training.turns import Stopped

Fit = Callable[..., Any]
"""`fit(hp, model, *args, **kwargs)` of a `keras_tuner.HyperModel`."""
Data = tuple[np.ndarray, np.ndarray]
"""Images (n, height, width, channels) of type uint8, and their labels."""

# The numbers that a fit is given on trial; another number in its call of `model.fit` is its own.
TRIED_BATCH_SIZE, TRIED_EPOCHS = 7, 7
# Images for a fit on trial: more than any usual batch, but not many bytes.
MAX_TRIED, MAX_TRIED_BYTES = 1024, 2**25
# Calls of `model.fit` in a fit on trial, and methods with which it ends.
MAX_CALLS = 10
_AFTER_FIT = ("evaluate", "predict", "save", "save_weights", "export")
_SETTINGS = ("validation_data", "callbacks", "epochs", "batch_size", "verbose", "class_weight")
_REFUSED = re.compile(r"(?:multiple values for(?: keyword)?|unexpected keyword) argument '(\w+)'")


TrainsBy = Literal["model.fit", "own loop", "own loop without callbacks"]


@dataclass(frozen=True)
class FitSettings:
    """The settings of a fit with the values of one configuration; None: those that it is given."""

    trains_by: TrainsBy
    batch_size: int | None = None
    epochs: int | None = None
    """Of all calls of `model.fit` together."""
    takes_class_weights: bool = False
    """True if class weights that it is given reach `model.fit`."""


def own_fit(hypermodel: Any) -> Fit | None:
    """Return the fit of a hypermodel that defines one, other than that of Keras Tuner."""
    import keras_tuner as kt

    found: Fit | None
    if hasattr(hypermodel, "own_fit"):
        found = hypermodel.own_fit
        return found
    own = getattr(type(hypermodel), "fit", None)
    found = None if own is None or own is kt.HyperModel.fit else hypermodel.fit
    return found


def call_fit(
    fit: Fit, hp: Any, model: Any, data: Data, settings: dict[str, Any], has_begun: Callable[[], bool]
) -> Any:
    """Call a user's fit with images and labels, and return its value.

    A setting that it passes on beside one of its own, or does not take, is left out: as in Keras Tuner, its
    own one counts.

    Args:
        settings: Keyword arguments.
        has_begun: True once it trains. From then on, an error is its own.

    Raises:
        TrialError: it takes no images and labels.
    """
    positional, named = _data_arguments(fit, data)
    settings = {**named, **settings}
    while True:
        try:
            return fit(hp, model, *positional, **settings)
        except TypeError as error:
            found = _REFUSED.search(str(error))
            if found is None or found[1] not in settings or has_begun():
                raise
            del settings[found[1]]


def _data_arguments(fit: Fit, data: Data) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return images and labels as positional arguments, or by name where a fit takes them so only."""
    parameters = list(inspect.signature(fit).parameters.values())[2:]
    places = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return data, {}
    names = [each.name for each in places]
    if len(places) >= 2 and names[1] not in _SETTINGS:
        return data, {}
    by_name = any(each.kind is each.VAR_KEYWORD for each in parameters) or {"x", "y"} <= {
        each.name for each in parameters
    }
    if by_name and (not names or names[0] in ("x", *_SETTINGS)):
        return (), dict(zip("xy", data, strict=True))
    raise _takes_no_arrays(fit)


def _takes_no_arrays(fit: Fit) -> TrialError:
    parameters = list(inspect.signature(fit).parameters.values())[2:]
    return TrialError(
        "build",
        f"fit(self, hp, model, {', '.join(map(str, parameters))}) takes no images and labels. Allowed: "
        "fit(self, hp, model, x, y, **kwargs) and fit(self, hp, model, *args, **kwargs).",
    )


@contextmanager
def replaced(model: Any, methods: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Replace methods of one model."""
    for name, method in methods.items():
        setattr(model, name, method)
    try:
        yield
    finally:
        for name in methods:
            delattr(model, name)


@contextmanager
def intercepted(model: Any, instead: Callable[[Callable[..., Any], dict[str, Any]], Any]) -> Iterator[None]:
    """Let calls of `model.fit` call `instead` with the plain function and the arguments by name."""
    import keras

    plain, signature = type(model).fit, inspect.signature(keras.Model.fit)

    def fit(*args: Any, **kwargs: Any) -> Any:
        _, *given = signature.bind(model, *args, **kwargs).arguments.items()
        return instead(lambda **arguments: plain(model, **arguments), dict(given))

    with replaced(model, {"fit": fit}):
        yield


def tried_images(images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return indices of a few images, spread over all, for a fit on trial."""
    most = min(MAX_TRIED, max(8, MAX_TRIED_BYTES // max(1, images[:1].nbytes)))
    places = np.linspace(0, len(indices) - 1, min(most, len(indices)))
    return np.asarray(indices[np.unique(places.astype(int))])


def try_fit(fit: Fit, hp: Any, model: Any, images: np.ndarray, labels: np.ndarray) -> FitSettings:
    """Run a fit up to its first call of a callback, so that `hp` knows its hyperparameters.

    Its calls of `model.fit` train nothing. A fit that calls neither trains the model on these images.

    Args:
        labels: Class numbers (n,).

    Raises:
        TrialError: it raises, or changes the pixels.
    """
    import keras

    def end(*_: Any, **__: Any) -> None:
        raise Stopped

    class Ends(keras.callbacks.Callback):  # type: ignore[misc]
        on_train_begin = on_epoch_begin = on_epoch_end = on_train_batch_end = end

    calls: list[dict[str, Any]] = []

    def instead(_: Any, arguments: dict[str, Any]) -> Any:
        calls.append(arguments)
        if len(calls) == MAX_CALLS:
            raise Stopped
        untrained = keras.callbacks.History()
        untrained.epoch, untrained.history = [0], defaultdict(lambda: [0.0])
        return untrained

    weights = {int(label): 1.0 for label in np.unique(labels)}
    encoding = label_encoding(model, images.shape[1:])
    images = keras.ops.convert_to_numpy(scaled(images, pixels_of(model)))
    data = images, encode(encoding, labels)
    settings = {
        "validation_data": data,
        "epochs": TRIED_EPOCHS,
        "batch_size": TRIED_BATCH_SIZE,
        "callbacks": [Ends()],
        "class_weight": weights,
        "verbose": 0,
    }
    trains_by: TrainsBy = "own loop"
    try:
        with (
            blaming_the_space(),
            replaced(model, dict.fromkeys(_AFTER_FIT, end)),
            intercepted(model, instead),
        ):
            call_fit(fit, hp, model, data, settings, lambda: bool(calls))
        trains_by = "own loop without callbacks"
    except Stopped:
        pass
    except TrialError:
        if not calls:  # what comes after may need a trained model
            raise
    if not calls:
        return FitSettings(trains_by)
    first = calls[0]
    if first.get("x") is data[0] and first.get("y") is None:  # taken for a data set
        raise _takes_no_arrays(fit)
    _check_pixels(images, first_images(first.get("x")))
    batch_size = own_batch_size(first)
    epochs = [call.get("epochs", 1) for call in calls]
    return FitSettings(
        "model.fit",
        None if batch_size == TRIED_BATCH_SIZE else batch_size,
        None if TRIED_EPOCHS in epochs else int(sum(epochs)),
        first.get("class_weight") is weights,
    )


def encode(encoding: LabelEncoding, labels: np.ndarray) -> np.ndarray:
    """Return class numbers (n,) as labels for a model, in an array."""
    import keras

    encoded: np.ndarray = keras.ops.convert_to_numpy(encoding.encode(labels.astype(np.int32)))
    return encoded


def own_batch_size(arguments: dict[str, Any]) -> int | None:
    """Return the batch size of a call of `model.fit`; None if it cannot be told.

    Source: Keras, `Model.fit`: arrays without one have 32.
    """
    x = arguments.get("x")
    if hasattr(x, "shape"):
        return int(arguments.get("batch_size") or 32)
    found = first_images(x)
    return None if found is None else len(found)


def first_images(x: Any) -> np.ndarray | None:
    """Return the first batch of images of the data for `model.fit`, all of an array; None if unknown.

    A generator, which can be read once, stays unread.
    """
    import keras

    try:
        if isinstance(x, keras.utils.PyDataset):
            batch = x[0]
        elif hasattr(x, "element_spec"):  # a tf.data.Dataset
            batch = next(iter(x))
        else:
            batch = (x,)
        found: np.ndarray = keras.ops.convert_to_numpy(batch[0])
    except Exception:  # the user's data may be of any kind
        return None
    return found


def _check_pixels(given: np.ndarray, trained: np.ndarray | None) -> None:
    """Refuse a fit that scales pixels: validation and the exported model take them as they are.

    Raises:
        TrialError: it does.
    """
    if trained is None or not trained.size or trained.shape[1:] != given.shape[1:]:
        return
    low, high = float(trained.min()), float(trained.max())
    if np.ptp(trained) < np.ptp(given.astype(np.float64)) / 20:  # by 255, once or after --pixels
        raise TrialError(
            "build",
            f"fit scales the pixels to {low:.3g}..{high:.3g}, but validation and the finished model do not. "
            "Take the scaling out of fit. Then begin the model with keras.layers.Rescaling(1 / 255), or "
            "search with --pixels 0..1.",
        )
