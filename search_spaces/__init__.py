"""Search spaces for image classifiers: one public module each, with `build(hp, spec)`."""

from search_spaces._spec import DataSpec

__all__ = ["DataSpec"]
