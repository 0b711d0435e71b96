"""Calls at the top of a file that do something when it is imported: read data, train, show a figure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_FIGURES = {"show", "imshow", "savefig", "plot_model"}
_TRAINING = {
    *("fit", "fit_generator", "fit_transform", "train_on_batch", "adapt", "search", "results_summary"),
    *("evaluate", "evaluate_generator", "predict", "predict_generator", "predict_on_batch"),
    *("get_best_models", "get_best_hyperparameters", "get_best_trials"),
}
_READING = {
    *("load_data", "load_dataset", "flow", "flow_from_directory", "flow_from_dataframe", "list_files"),
    *("image_dataset_from_directory", "text_dataset_from_directory", "audio_dataset_from_directory"),
    *("from_tensor_slices", "from_generator", "TFRecordDataset", "as_dataset", "download_and_prepare"),
    *("read_csv", "read_excel", "read_json", "read_parquet", "read_pickle", "read_table", "read_data_sets"),
    *("loadtxt", "genfromtxt", "fromfile", "memmap", "loadmat", "imread", "load_img", "train_test_split"),
    *("listdir", "scandir", "glob", "iglob", "rglob", "iterdir"),
    *("get_file", "urlretrieve", "urlopen", "extractall", "unpack_archive", "popen", "Popen"),
    *("parse_args", "parse_known_args"),
}
# Methods that act on any object, and functions by their last name.
METHODS = frozenset(_FIGURES | _TRAINING | _READING)
# Functions whose last name means something else elsewhere.
FUNCTIONS = frozenset(
    {
        *("input", "exit", "quit", "sys.exit", "os.system", "os.walk", "shutil.rmtree", "sys.stdin.read"),
        *("numpy.load", "pickle.load", "joblib.load", "PIL.Image.open", "zipfile.ZipFile", "tarfile.open"),
        *("h5py.File", "tensorflow_datasets.load", "absl.app.run"),
    }
)
# Any function of these packages.
PACKAGES = (
    *("sklearn.datasets.", "google.colab.", "kaggle.", "kagglehub.", "gdown.", "wget.", "requests."),
    *("subprocess.", "wandb.", "mlflow."),
)
_TUNER_PACKAGES = {"keras_tuner", "kerastuner"}
_TUNERS = {"RandomSearch", "BayesianOptimization", "Hyperband", "GridSearch", "Tuner", "SklearnTuner"}
_MAIN = ("__name__ == '__main__'", "'__main__' == __name__")
# `re.search` reads no data.
_HARMLESS = {"re", "regex"}


@dataclass(frozen=True)
class Action:
    """A call that a file makes when it is imported, as written, and its line."""

    call: str
    line: int


@dataclass(frozen=True)
class Names:
    """Meaning of names at the top of a file: full names of what it imports, and its own functions."""

    imported: Mapping[str, str]
    functions: Mapping[str, ast.FunctionDef]

    @classmethod
    def of(cls, statements: Sequence[ast.stmt]) -> Names:
        """Read them from the statements of a file."""
        imported, functions = {}, {}
        for node in (node for statement in statements for node in ast.walk(statement)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    imported[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    imported[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
        for statement in statements:
            if isinstance(statement, ast.FunctionDef):
                functions[statement.name] = statement
        return cls(imported, functions)

    def actions(self, statement: ast.stmt) -> Iterator[Action]:
        """Yield what a statement at the top of the file does, also through the file's own functions."""
        for call in _calls(statement):
            if inner := self._action(call, set()):
                yield Action(inner, call.lineno)

    def _action(self, call: ast.Call, seen: set[str]) -> str | None:
        """Return a call that acts as text: this one, or one that it makes in turn."""
        written = _dotted(call.func)
        first, _, rest = written.partition(".")
        if not rest and first in self.functions:
            if first in seen:
                return None
            inside = (node for node in ast.walk(self.functions[first]) if isinstance(node, ast.Call))
            inner = next(filter(None, (self._action(each, seen | {first}) for each in inside)), None)
            return f"{first}(), which calls {inner}" if inner else None
        full = f"{self.imported.get(first, first)}.{rest}" if rest else self.imported.get(first, first)
        package, last = full.partition(".")[0], full.rpartition(".")[2]
        acts = (
            full in FUNCTIONS
            or full.startswith(PACKAGES)
            or (last in METHODS and "." in full and package not in _HARMLESS)
            or (last in _TUNERS and package in _TUNER_PACKAGES)
        )
        return f"{written.removeprefix('.')}()" if acts else None


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """Yield the calls that a statement makes by itself, not those inside functions that it defines."""
    nodes: list[ast.AST] = [statement]
    while nodes:
        node = nodes.pop(0)
        if isinstance(node, ast.Call):
            yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes[:0] = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.If) and is_main(node):
            nodes[:0] = node.orelse
        elif not isinstance(node, ast.Lambda):
            nodes[:0] = ast.iter_child_nodes(node)


def is_main(statement: ast.If) -> bool:
    """True for `if __name__ == "__main__":`."""
    test = statement.test
    tests = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return any(ast.unparse(each) in _MAIN for each in tests)


def _dotted(node: ast.expr) -> str:
    """Return the name of a function as written: 'np.load'; '.fit' for a method of a value without a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""
