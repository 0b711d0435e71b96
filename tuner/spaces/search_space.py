"""A space as a search sees it: all of its hyperparameters, and what its user should know before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tuner.spaces.hypermodel import SpaceHyperModel, loaded_space, refuse_epochs
from tuner.spaces.references import builtin_names
from tuner.spaces.weights import WEIGHTS

if TYPE_CHECKING:
    import keras_tuner as kt
    import numpy as np

    from tuner.spaces.unfolding import Unfolded


DIFFERS = (
    "Two builds of the default configuration differ, so that scores compare more than hyperparameters. Let "
    "nothing but hp and the shape of the data decide in build."
)


@dataclass(frozen=True)
class SearchSpace(SpaceHyperModel):
    """A hypermodel that also describes its space."""

    def unfold(self, declared: dict[str, Any]) -> tuple[kt.HyperParameters, tuple[str, ...]]:
        """Return the whole space, and sentences about it for the user.

        The built-in spaces declare all of it in the first build, which their tests say.

        Args:
            declared: What the default build, `training` and `fit` declare, as `HyperParameters.get_config()`.

        Raises:
            SpaceError: the space declares a hyperparameter that a search decides.
        """
        # Keras takes seconds to import, which the driver uses for other things.
        from tuner.spaces.configurations import declared_space
        from tuner.spaces.sample_models import Subject

        hp = declared_space(declared)
        if self.reference in builtin_names():
            return hp, ()
        subject = Subject(self)
        unfolded = subject.unfolded
        if self.own_fit is not None:  # which may use what build declares
            unfolded = replace(unfolded, idle=())
        else:
            refuse_epochs(parameter.name for parameter in unfolded.parameters)
        ambiguous = (*subject.default.hp.ambiguous, *unfolded.ambiguous)
        unfolded = replace(unfolded, ambiguous=tuple(dict.fromkeys(ambiguous)))
        # The samples have no pretrained weights, and do not know `training`.
        found = [parameter for parameter in unfolded.parameters if parameter.name != WEIGHTS]
        names = {parameter.name for parameter in found}
        others = [parameter for parameter in hp.space if parameter.name not in names]
        whole = type(hp)()
        whole.merge(sorted([*found, *others], key=lambda parameter: parameter.name != WEIGHTS))
        return whole, (*_sentences(unfolded), *(() if subject.repeats else (DIFFERS,)))

    def notes(self, model: Any, images: np.ndarray) -> tuple[str, ...]:
        """Return sentences about the space that its user should read before a search.

        The tests of the built-in spaces say that there are none.

        Args:
            model: The untrained default model, which is trained one step.
            images: A few images of the data set (n, height, width, channels), as trained on.

        Raises:
            SpaceError: the model cannot be saved, or training it raises.
        """
        space = loaded_space(self.reference, self.source)
        if self.reference in builtin_names():
            return space.notes
        from tuner.spaces.notes import capitalized, notes_on
        from tuner.spaces.training_step import train_one_step

        notes = (*space.notes, *notes_on(model, images))
        if self.own_fit is not None:  # which trains in its own way
            return notes
        fault = train_one_step(model, self.spec.image_shape, self.spec.num_classes)
        return (*notes, capitalized(fault)) if fault else notes


def defaults_outside(parameters: Iterable[Any]) -> Iterator[str]:
    """Yield a sentence on each hyperparameter whose default no trial would draw."""
    from tuner.spaces.configurations import is_value

    for parameter in parameters:
        if not is_value(parameter, parameter.default):
            yield f"'{parameter.name}' has the default {parameter.default}, which is outside its range."


def _sentences(found: Unfolded) -> tuple[str, ...]:
    """Return what a user should know of a space before its search."""
    texts = []
    if found.late:
        names, is_one = ", ".join(found.late), len(found.late) == 1
        texts.append(
            f"{names} {'appears' if is_one else 'appear'} only with some values of other hyperparameters. "
            f"{'It is' if is_one else 'They are'} searched too."
        )
    texts += [
        f"build declares '{name}' with several ranges, and only the first is used. Give each its own name."
        for name in found.ambiguous
    ]
    texts += [
        f"'{name}' changes nothing in the model. Use its value in build, or take it out."
        for name in found.idle
    ]
    texts += defaults_outside(found.parameters)
    if found.untried:
        texts.append(
            f"{found.untried} values were not tried before the search. A hyperparameter that appears later "
            "is searched from then on."
        )
    return tuple(texts)
