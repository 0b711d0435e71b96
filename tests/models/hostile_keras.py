"""Small .keras files that try to execute something, or to read or fill what is outside of them."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def harmless(path: Path) -> Path:
    """Write a model of Keras alone, for two classes of images of 8x8 pixels."""
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, "sigmoid")]).save(path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a harmless model whose members have been changed."""
    with zipfile.ZipFile(harmless(path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return path


def with_layer(path: Path, kind: str, module: str | None, config: object, registered: str | None) -> Path:
    """Write a model in which a part of this kind stands in the place of a layer."""

    def change(members: dict[str, bytes]) -> None:
        model = json.loads(members[CONFIG])
        part = {"class_name": kind, "module": module, "config": config, "registered_name": registered}
        model["config"]["layers"][1] = part
        members[CONFIG] = json.dumps(model).encode()

    return rewritten(path, change)


def with_weights(path: Path, change: Callable[[h5py.File], None]) -> Path:
    """Write a model whose file of weights has been changed."""

    def rewrite(members: dict[str, bytes]) -> None:
        buffer = io.BytesIO(members[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        members[WEIGHTS] = buffer.getvalue()

    return rewritten(path, rewrite)


def replace_kernel(file: h5py.File, make: Callable[[h5py.Group, str], object]) -> None:
    """Put something else in the place of the kernel of the dense layer."""
    group = file["layers/dense/vars"]
    del group["0"]
    make(group, "0")


def external_storage(file: h5py.File, target: Path) -> None:
    replace_kernel(
        file, lambda group, name: group.create_dataset(name, (192, 1), "f4", external=[(str(target), 0, 768)])
    )


def virtual_storage(file: h5py.File, target: Path) -> None:
    layout = h5py.VirtualLayout((192, 1), "f4")
    layout[:] = h5py.VirtualSource(str(target), "x", (192, 1))
    replace_kernel(file, lambda group, name: group.create_virtual_dataset(name, layout))


def external_link(file: h5py.File, target: Path) -> None:
    replace_kernel(file, lambda group, name: group.__setitem__(name, h5py.ExternalLink(str(target), "/x")))


def soft_link(file: h5py.File, target: Path) -> None:  # noqa: ARG001 - as the others
    replace_kernel(file, lambda group, name: group.__setitem__(name, h5py.SoftLink("/elsewhere")))


def huge_shape(file: h5py.File, target: Path) -> None:  # noqa: ARG001 - as the others
    shape = (2**20, 2**10)
    replace_kernel(
        file,
        lambda group, name: group.create_dataset(name, shape, "f4", chunks=(1, 2**10), compression="gzip"),
    )


def filled_archive(path: Path) -> Path:
    """Write a model with a member that takes a thousand times its size."""
    zeros = np.zeros(40 * 2**20, np.uint8).tobytes()
    return rewritten(path, lambda members: members.update({"assets/zeros": zeros}))
