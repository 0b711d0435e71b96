"""Labels in the form that the loss and the metrics of a model expect."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

import numpy as np

from tuner.training.build import gives_logits, has_sigmoid_units, only_loss
from tuner.training.error_text import first_line
from tuner.training.task import TrialError

LabelForm = Literal["float", "class", "one-hot"]
"""float32 (n, 1), class numbers int32 (n,), or float32 (n, units)."""

_FORMS = {"class": "class numbers", "one-hot": "one-hot labels"}
# Keras itself chooses among its functions by the form of the labels.
_BY_LABELS = ("accuracy", "acc", "crossentropy", "ce")
# Outputs that are sure of a class, as logits and as probabilities, and those that are sure of another.
_LOGITS, _PROBABILITIES = (4.0, -4.0), (0.9, 0.1)


@dataclass(frozen=True)
class LabelEncoding:
    """The form of labels for a model with this many output units."""

    form: LabelForm
    units: int

    def encode(self, labels: Any) -> Any:
        """Return labels in this form as a tensor of the backend; labels that have it stay as they are.

        Args:
            labels: Class numbers (n,), or labels that were encoded for as many units.
        """
        from keras import ops

        labels = ops.convert_to_tensor(labels)
        is_encoded = len(labels.shape) > 1
        if self.form == "one-hot":
            return labels if is_encoded else ops.one_hot(labels, self.units, dtype="float32")
        if self.form == "float":
            return ops.cast(labels if is_encoded else ops.expand_dims(labels, -1), "float32")
        return ops.cast(ops.argmax(labels, axis=-1) if is_encoded else labels, "int32")


CLASS_NUMBERS = LabelEncoding("class", 0)


def label_encoding(model: Any, image_shape: tuple[int, ...]) -> LabelEncoding:
    """Return the encoding for the loss of a compiled model, whose metrics have theirs from now on.

    Raises:
        TrialError: no labels suit the loss, the metrics and the outputs.
    """
    units = output_units(model, image_shape)
    encoding = LabelEncoding(label_form(model, units), units)
    suit_metrics(model, encoding)
    return encoding


def output_units(model: Any, image_shape: tuple[int, ...]) -> int:
    """Return the number of outputs for an image."""
    import keras

    if not model.built:
        model.build((None, *image_shape))
    try:
        shape = model.output_shape
    except (AttributeError, ValueError):  # not a graph of layers
        shape = model.compute_output_spec(keras.KerasTensor((None, *image_shape), "uint8")).shape
    return int(shape[-1])


def all_of_class(labels: Any, number: int) -> Any:
    """Return labels of the same form and number, all of one class."""
    from keras import ops

    if len(labels.shape) < 2 or labels.shape[-1] == 1:
        return ops.full_like(labels, number)
    return ops.zeros_like(labels) + ops.one_hot(number, labels.shape[-1], dtype=labels.dtype)


def label_form(model: Any, units: int) -> LabelForm:
    """Return the form of labels under which the loss of a compiled model prefers the right class.

    One unit has float labels. For more units, Keras' own losses tell their form; those of the user are tried
    with sure outputs. A loss that takes both forms gets the one for the metrics, else class numbers.

    Raises:
        TrialError: the loss suits these outputs with no labels.
    """
    if _is_softmax(model) and units == 1:
        raise TrialError(
            "build",
            "the model ends in a softmax of one unit, whose output is always 1. Use sigmoid there, or one "
            "softmax unit for each class.",
        )
    own = _native_form(only_loss(model), "losses")
    forms: tuple[LabelForm, ...] = ("float",)
    if units > 1:
        forms = ("class", "one-hot") if own is None else (own,)
        if _metric_forms(model).keys() == {"one-hot"}:
            forms = forms[::-1]
    usual = has_sigmoid_units(model) or (units > 1 and name_of(only_loss(model)).endswith("crossentropy"))
    if own is not None and usual:
        return forms[0]  # a try compiles its operations, which takes JAX a second
    fault = "does not suit"
    for form in forms:
        try:
            if _prefers_the_right_class(model, form, units):
                return form
            if own is None:
                fault = "is not lowest for the right class with"
        except Exception as error:  # it is the user's code
            if own is None:
                fault = f"raised {type(error).__name__} ({first_line(error)}) with"
    outputs = "one output" if units == 1 else f"{units} outputs"
    labels = "" if units == 1 else f" and {' or '.join(_FORMS[form] for form in forms)}"
    raise TrialError(
        "build",
        f"the loss '{name_of(only_loss(model))}' {fault} {outputs}{labels}. Use binary_crossentropy with one "
        "sigmoid unit, or sparse_categorical_crossentropy with a softmax unit for each class.",
    )


def suit_metrics(model: Any, encoding: LabelEncoding) -> None:
    """Let the metrics of a compiled model have one-hot labels or class numbers where the loss has others.

    Raises:
        TrialError: no form of labels suits all of the metrics.
    """
    wanted = _metric_forms(model) if encoding.units > 1 else {}
    others = {other: name for other, name in wanted.items() if other not in (None, encoding.form)}
    if not others:
        return
    (other, name), *_ = others.items()
    if len(wanted) > 1:
        different = next(each for known, each in wanted.items() if known != other)
        raise TrialError(
            "build",
            f"the metric '{name}' needs {_FORMS[other]}, but the loss or the metric '{different}' needs "
            f"another form. Leave one metric out, or use a loss that takes {_FORMS[other]}.",
        )
    plain, metrics = model.compute_metrics, LabelEncoding(other, encoding.units)

    def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return plain(x, metrics.encode(y), y_pred, sample_weight=sample_weight)

    model.compute_metrics = compute_metrics


def name_of(part: Any) -> str:
    """Return the name of a loss or a metric for the user."""
    if isinstance(part, str):
        return part
    return str(getattr(part, "name", None) or getattr(part, "__name__", type(part).__name__))


def _metric_forms(model: Any) -> dict[LabelForm | None, str]:
    """Return the forms of labels that the metrics take, each with a metric; None is that of unknown ones.

    Metrics that suit every form are left out.
    """
    import keras

    container = model._compile_metrics
    parts = [] if container is None else [container._user_metrics, container._user_weighted_metrics]
    return {
        _native_form(part, "metrics"): name_of(part)
        for part in keras.tree.flatten(parts)
        if part is not None and str(part).lower() not in _BY_LABELS
    }


def _native_form(part: Any, kind: Literal["losses", "metrics"]) -> LabelForm | None:
    """Return the form that a loss or a metric of Keras takes; None for one of the user's."""
    import keras

    if isinstance(part, str):
        if part.lower() in _BY_LABELS:
            return None
        try:
            part = getattr(keras, kind).get(part)
        except ValueError:  # an unknown name, which the first call reports
            return None
    owner = part if hasattr(part, "__name__") else type(part)
    if owner.__module__.partition(".")[0] != "keras" or owner.__name__ == "MeanMetricWrapper":
        return None
    sparse = getattr(part, "sparse_y_true", owner.__name__.lower().startswith("sparse"))
    return "class" if sparse else "one-hot"


def _is_softmax(model: Any) -> bool:
    import keras

    last = model
    while isinstance(last, keras.Model) and last.layers:
        last = last.layers[-1]
    return isinstance(last, keras.layers.Softmax) or (
        getattr(last, "activation", None) is keras.activations.softmax
    )


def _prefers_the_right_class(model: Any, form: LabelForm, units: int) -> bool:
    """True if the loss of right outputs is lower than with one of them wrong, for up to three classes.

    Numbers that are not finite count as preferred: training reports them with the epoch in which they occur.
    """
    from keras import ops

    classes = np.arange(min(3, max(2, units)))
    # More images than units, so that labels (n,) never fit outputs (n, units) by chance.
    labels = np.repeat(classes, 2 if 2 * len(classes) != units else 3)
    loss, encoded = model._compile_loss, LabelEncoding(form, units).encode(labels)

    def loss_of(said: np.ndarray) -> float:
        high, low = _LOGITS if gives_logits(model) else _PROBABILITIES
        if units == 1:
            outputs = np.where(said[:, None] == 1, high, low)
        else:
            spread = low if gives_logits(model) else low / (units - 1)
            outputs = np.where(said[:, None] == np.arange(units), high, spread)
        return float(loss(encoded, ops.convert_to_tensor(outputs, "float32")))

    try:
        right = loss_of(labels)
        for own, other in permutations(classes, 2):
            said = labels.copy()
            said[np.argmax(labels == own)] = other
            if loss_of(said) <= right:
                return False
        return True
    finally:
        loss.built = False  # the training builds it, with its own labels
