"""Names of older versions of Keras and Keras Tuner, and of other devices, in the text of a space."""

from __future__ import annotations

import ast

from tuner.errors import SpaceError

_OLD_LAYERS = ("convolutional", "core", "normalization", "pooling", "merge", "noise", "advanced_activations")
_GENERATOR = "keras.preprocessing.image.ImageDataGenerator"  # Keras keeps it for old code
# Modules by the name that they have today, the longest first.
MODULES = {
    **{f"keras.layers.{name}": "keras.layers" for name in (*_OLD_LAYERS, "experimental.preprocessing")},
    "keras.optimizers.legacy": "keras.optimizers",
    "keras.utils.np_utils": "keras.utils",
    _GENERATOR: "keras.src.legacy.preprocessing.image.ImageDataGenerator",
    "tensorflow.python.keras": "tensorflow.keras",
    "kerastuner": "keras_tuner",
}
# TensorFlow has none of these, or has it still.
_ALONE = {"tensorflow.python.keras", "kerastuner", _GENERATOR}
# Attributes of a module that are modules no more, by what holds them.
_ATTRIBUTES = {("optimizers", "legacy"), ("layers", "experimental"), ("layers", "preprocessing")}
_OPTIMIZERS = {"Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD"}
_STRATEGIES = {
    *("CentralStorageStrategy", "MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy"),
    *("ParameterServerStrategy", "TPUStrategy"),
}
_WITHOUT_EAGER = {"disable_eager_execution", "disable_v2_behavior", "disable_v2_tensorshape"}
_LEGACY = "TF_USE_LEGACY_KERAS"


def renewed(tree: ast.Module, place: str) -> list[str]:
    """Give a file's old names their present form, in place, and return sentences about the changes.

    Args:
        place: Name of the file for an error.

    Raises:
        SpaceError: the file uses Keras 2 or TensorFlow 1, or an argument that Keras has no more.
    """
    renewal = _Renewal(place)
    renewal.visit(tree)
    ast.fix_missing_locations(tree)
    return renewal.notes()


class _Renewal(ast.NodeTransformer):
    def __init__(self, place: str) -> None:
        self._place = place
        self._renamed: dict[str, int] = {}
        self._strategies: dict[str, int] = {}
        self._legacy: int | None = None
        self._may_fail = 0

    def notes(self) -> list[str]:
        found = []
        if self._renamed:
            names = ", ".join(f"{text} (line {line})" for text, line in self._renamed.items())
            found.append(f"Old names are read as those of today: {names}.")
        for name, line in self._strategies.items():
            found.append(
                f"{name} (line {line}) is not used: each worker trains on one device. "
                "Search on more devices with --workers."
            )
        if self._legacy:
            found.append(f"{_LEGACY} (line {self._legacy}) has no effect: a search uses Keras 3.")
        return found

    def visit_Try(self, node: ast.Try) -> ast.AST:
        self._may_fail += 1
        self.generic_visit(node)
        self._may_fail -= 1
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            self._refuse_keras_2(alias.name, node.lineno)
            new = self._module(alias.name, node.lineno)
            if new != alias.name and alias.asname is None and "." not in alias.name:
                alias.asname = alias.name
            alias.name = new
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        if node.level or not node.module:
            return node
        self._refuse_keras_2(node.module, node.lineno)
        # `from keras.optimizers import legacy` imports a module of the table too.
        split: list[ast.stmt] = []
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            new = self._module(whole, node.lineno, exactly=True)
            if new != whole:
                parent, _, name = new.rpartition(".")
                names = [ast.alias(name, alias.asname or alias.name)]
                split.append(ast.copy_location(ast.ImportFrom(parent, names, 0), node))
                continue
            module = self._module(node.module, node.lineno)
            if module.endswith(".distribute") and alias.name in _STRATEGIES:
                self._strategies.setdefault(alias.asname or alias.name, node.lineno)
                alias = ast.alias("get_strategy", alias.asname or alias.name)
            split.append(ast.copy_location(ast.ImportFrom(module, [alias], 0), node))
        return split

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        owner = node.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if (name, node.attr) in _ATTRIBUTES:
            self._renamed.setdefault(f"{name}.{node.attr} as {name}", node.lineno)
            return owner
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in _OPTIMIZERS:
            node.keywords = [each for each in node.keywords if self._renewed_argument(name, each)]
        if (
            name in _STRATEGIES
            and isinstance(node.func, ast.Attribute)
            and "distribute" in ast.unparse(node.func.value)
        ):
            self._strategies.setdefault(name, node.lineno)
            call = f"{ast.unparse(node.func.value).removesuffix('.experimental')}.get_strategy()"
            return ast.copy_location(ast.parse(call, mode="eval").body, node)
        if name in _WITHOUT_EAGER:
            raise SpaceError(
                f"'{self._place}', line {node.lineno}: {name}() turns off TensorFlow 2, which Keras "
                "trains nothing. Leave it out."
            )
        if name in self._strategies:  # imported by its name
            return ast.copy_location(ast.Call(node.func, [], []), node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        match node.targets:
            case [ast.Subscript(slice=ast.Constant(value=str(name)))] if name == _LEGACY:
                self._legacy = node.lineno
                return ast.copy_location(ast.Pass(), node)
        return node

    def _renewed_argument(self, optimizer: str, keyword: ast.keyword) -> bool:
        """Rename an argument of an optimizer; False for one to leave out."""
        if keyword.arg == "lr":
            keyword.arg = "learning_rate"
            self._renamed.setdefault("lr= as learning_rate=", keyword.value.lineno)
        if keyword.arg == "decay" and ast.unparse(keyword.value) in ("0", "0.0", "None"):
            return False
        if keyword.arg == "decay":
            raise SpaceError(
                f"'{self._place}', line {keyword.value.lineno}: {optimizer}(decay=...) is of Keras 2; Keras "
                f"has no such argument. Leave it out, or write learning_rate=keras.optimizers.schedules."
                f"InverseTimeDecay(rate, 1, {ast.unparse(keyword.value)})."
            )
        return True

    def _module(self, name: str, line: int, *, exactly: bool = False) -> str:
        """Return the present name of a module, or of the object that it holds if the table has it exactly."""
        for old, new in MODULES.items():
            for prefix in ("", "tensorflow."):
                is_it = name == prefix + old if exactly else f"{name}.".startswith(f"{prefix}{old}.")
                if is_it and not (prefix and old in _ALONE):
                    self._renamed.setdefault(f"{prefix}{old} as {prefix}{new}", line)
                    return f"{prefix}{new}{name.removeprefix(prefix + old)}"
        return name

    def _refuse_keras_2(self, name: str, line: int) -> None:
        if name.partition(".")[0] == "tf_keras" and not self._may_fail:
            raise SpaceError(
                f"'{self._place}', line {line}: tf_keras is Keras 2, which a search does not train. "
                "Write `import keras`."
            )
