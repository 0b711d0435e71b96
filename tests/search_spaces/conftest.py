"""Large networks are made once for all tests of the spaces."""

from collections.abc import Iterator
from functools import cache

import keras
import pytest

from search_spaces import transfer
from search_spaces._backbones import IMAGENET, make_application

shared_application = cache(make_application)


def application(
    name: str, image_shape: tuple[int, int, int], weights: str, alpha: float | None = None
) -> keras.Model:
    """A network as `make_application` makes it; only of those with ImageNet's weights each has its own."""
    make = make_application if weights == IMAGENET else shared_application
    return make(name, image_shape, weights, alpha)


@pytest.fixture(scope="module", autouse=True)
def networks_are_shared() -> Iterator[None]:
    """To make the variables of a network takes longer than all that is asked of it here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "make_application", application)
        yield
