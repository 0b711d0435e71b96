"""Folders that hold images, directly or further below, as a tree."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

ALLOWED = "Allowed: images in <class> folders, or in train/<class> and test/<class> folders"


@dataclass(frozen=True)
class Folder:
    """A folder that holds images, directly or further below."""

    path: str
    """Relative to the source, with `/`; "" is its top."""
    images: int = 0
    """Number of images directly in it."""
    folders: dict[str, Folder] = field(default_factory=dict)
    """By name, in alphabetical order."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def total(self) -> int:
        """Number of images in it and below."""
        return self.images + sum(folder.total for folder in self.folders.values())

    def all(self) -> Iterator[Folder]:
        """Yield this folder and every folder below it."""
        yield self
        for folder in self.folders.values():
            yield from folder.all()

    def only(self, names: Collection[str]) -> Folder:
        """Return the folder with only those of its folders that are named."""
        kept = {name: folder for name, folder in self.folders.items() if name in names}
        return Folder(self.path, self.images, kept)

    def unwrapped(self) -> Folder:
        """Go down while there is one folder only and it has folders of its own."""
        folder = self
        while len(folder.folders) == 1:
            (below,) = folder.folders.values()
            if not below.folders:
                break
            folder = below
        return folder


def folder_tree(images: Mapping[str, int], path: str = "") -> Folder:
    """Return the top of a source.

    Args:
        images: Number of images directly in each folder, by its path below `path`.
        path: Of the top.
    """
    below: dict[str, dict[str, int]] = {}
    for inner in sorted(images):  # so that messages are the same each time
        if inner:
            name, _, rest = inner.partition("/")
            below.setdefault(name, {})[rest] = images[inner]
    folders = {name: folder_tree(inner, f"{path}/{name}" if path else name) for name, inner in below.items()}
    return Folder(path, images.get("", 0), folders)
