"""The facts of a run, as they must be: a store may come from a stranger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from tuner.config import SearchConfig, make_config
from tuner.errors import UsageError
from tuner.results.store_file import damaged
from tuner.results.stored_values import first_fault

_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Date = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.+Z-]+$", max_length=40)]
_Line = Annotated[str, Field(max_length=10_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Hyperparameter(_Strict):
    """One of `HyperParameters.get_config()`."""

    class_name: Literal["Int", "Float", "Choice", "Boolean", "Fixed"]
    config: dict[str, Any]


class _Space(_Strict):
    space: list[_Hyperparameter]


class _Data(_Strict):
    """The images of a run."""

    source: _Line
    fingerprint: _Line
    class_names: Annotated[list[_Line], Field(min_length=2)]
    positive_class: _Line | None
    image_shape: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=3, max_length=3)]
    pixel_range: dict[str, int | FiniteFloat | None]
    resized: dict[str, dict[str, Any]]
    counts: dict[Literal["train", "validation", "test"], dict[str, _Count]]
    skipped: _Count
    notes: list[_Line]
    seen_test_images: _Count
    near_test_images: _Count


class _Shortcut(_Strict):
    auroc: FiniteFloat
    warn_from: FiniteFloat


class _Facts(_Strict):
    """All facts of a run but those that only a message shows."""

    run_id: _Line
    started_at: _Date
    space: _Line
    dataset: _Line
    algorithm: _Line
    objective: Annotated[_Line, Field(min_length=1)]
    direction: Literal["min", "max"]
    hyperparameters: _Space
    default_num_params: _Count | None
    initial: list[dict[str, Any]]
    space_notes: list[_Line]
    training: list[_Line]
    data: _Data
    backend: _Line
    device: _Line
    versions: dict[str, _Line | None]
    git_commit: _Line | None
    seed: _Count
    compute: dict[str, Any]
    code: dict[str, _Line]
    conditions: dict[str, Any] | None
    config: dict[str, Any]
    status: _Line
    spent_s: FiniteFloat = 0.0
    epochs_s: FiniteFloat = 0.0
    spent_epochs: _Count = 0
    timings: dict[str, FiniteFloat] = {}
    late: list[_Line] = []
    shortcuts: list[_Shortcut] = []
    settled: Annotated[list[Any], Field(min_length=2, max_length=2)] | None = None
    accepted_code: list[dict[str, Any]] = []


def checked_facts(facts: dict[str, Any], store: Path) -> SearchConfig:
    """Refuse facts that no search has written; return the request among them.

    Raises:
        StorageError: one is missing or of another kind.
    """
    try:
        _Facts.model_validate(facts)
    except ValidationError as error:
        name, why = first_fault(error)
        raise damaged(store, f"its fact '{name}' is not that of a run ({why})") from None
    try:
        return make_config(facts["config"])
    except UsageError as error:
        raise damaged(store, f"its fact 'config' is no request: {error}") from None
