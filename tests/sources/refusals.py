"""Checks that an error names the values that a user needs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refusal(kind: type[BaseException], *parts: object) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """Expect an error of one line that names all of these.

    The folder of a test is named after the test: a word of that name is in every message with a path.
    """
    with pytest.raises(kind) as caught:
        yield caught
    text = str(caught.value)
    assert "\n" not in text
    missing = [part for part in map(str, parts) if part not in text]
    assert not missing, text
