"""Changes of a recipe to the loss and the optimizer of a compiled model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuner.training.labels import all_of_class
from tuner.training.recipe import Recipe
from tuner.training.task import TrialError

# Share of the steps in which the learning rate rises before it falls.
WARMUP_SHARE = 0.05
# Decay of these does not make a model simpler. On TensorFlow, names are paths: "dense/bias:0".
NOT_DECAYED = [r"(^|/)(bias|gamma|beta)(:\d+)?$"]


def apply_recipe(model: Any, recipe: Recipe, num_classes: int, steps: int) -> None:
    """Apply the parts of a recipe that concern the loss and the optimizer of a compiled model.

    Args:
        steps: Number of training steps until the end of the last rung, which a schedule spans.

    Raises:
        TrialError: the optimizer already has a schedule.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if recipe.weight_decay is not None:
        optimizer.weight_decay = recipe.weight_decay
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    if recipe.schedule == "cosine":
        optimizer.learning_rate = _cosine(optimizer, steps)
    if recipe.label_smoothing:
        _smooth_labels(model, recipe.label_smoothing, num_classes)


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return weights (num_classes,) that give each class the same influence, 1 on average.

    Source: King & Zeng 2001, Logistic regression in rare events data, section 4.2; scikit-learn's "balanced".
    """
    counts = np.bincount(labels, minlength=num_classes)
    return np.asarray(len(labels) / (num_classes * np.maximum(counts, 1)), np.float32)


def _cosine(optimizer: Any, steps: int) -> Any:
    """Return a schedule with a linear rise to the optimizer's learning rate, then half a cosine to zero.

    Source: Loshchilov & Hutter 2017, SGDR, equation 5 without restarts; Goyal et al. 2017, section 2.2.
    """
    import keras

    if isinstance(optimizer.get_config()["learning_rate"], dict):
        raise TrialError(
            "build",
            "schedule=cosine needs a learning rate that is a number; the optimizer has its own schedule.",
        )
    warmup = round(WARMUP_SHARE * steps)
    rate = float(optimizer.learning_rate)
    return keras.optimizers.schedules.CosineDecay(
        rate / (warmup + 1), max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
    )


def _smooth_labels(model: Any, amount: float, num_classes: int) -> None:
    """Mix the training loss with the mean loss of all classes.

    Validation losses stay comparable between trials. Since the cross-entropy is linear, this is the loss of
    smoothed labels, for any form of labels and outputs.

    Source: Szegedy et al. 2016, Rethinking the Inception architecture, section 7.
    """
    plain = model.compute_loss

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        loss = plain(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        uniform = [
            plain(x, all_of_class(y, label), y_pred, sample_weight, training) for label in range(num_classes)
        ]
        return (1 - amount) * loss + amount / num_classes * sum(uniform)

    model.compute_loss = compute_loss
