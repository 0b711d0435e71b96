"""What makes two runs alike: data, space, code, versions, device."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Literal

from tuner.config import SearchConfig
from tuner.data.dataset import Dataset
from tuner.errors import UsageError
from tuner.results.schema import ACCEPTED_CODE, CODE, CONDITIONS, LATE, TRIAL_COLUMNS, TRIALS_FILE
from tuner.results.store import Store
from tuner.spaces.references import unknown
from tuner.spaces.weights import WEIGHTS, weights_hash
from tuner.training.compute import Compute
from tuner.training.pixels import RAW
from tuner.training.source_code import PROGRAM
from tuner.workers.protocol import Description, Ready


def conditions(
    config: SearchConfig, dataset: Dataset, ready: Ready, space: Description
) -> dict[str, Any] | None:
    """Return everything that the epochs of a configuration depend on, beside its seed and batch size.

    None with `--fidelity data`: epochs depend on the bracket too, so no other run may reuse them.
    """
    if config.fidelity == "data":
        return None
    # The order of sums depends on the cores and GPUs that a worker has of its node.
    share_of_node = {
        "local": config.cluster == "local",
        "cpus": config.cpus_per_trial,
        "gpus": config.gpus_per_trial,
    }
    return {
        # The one plan in which all trials begin alike on part of the data.
        "part": [config.max_epochs, config.factor] if config.fidelity == "part" else None,
        "data": dataset.fingerprint,
        "split_seed": dataset.seed,
        "class_weights": config.class_weights or "none",
        # A schedule depends on the number of epochs that it is spread over.
        "schedule": config.max_epochs if "schedule" in space.training else None,
        "weights": _weights(space.hyperparameters),
        "space": config.space,
        "code": space.code,
        "compute": asdict(space.compute),
        "backend": ready.backend,
        "device": ready.device,
        "workers": config.workers,
        **({} if config.cluster is None else share_of_node),
        **({} if config.pixels == RAW else {"pixels": config.pixels}),
        "versions": ready.versions,
    }


def check_conditions(
    store: Store, config: SearchConfig, dataset: Dataset, ready: Ready, space: Description
) -> None:
    """Record a change of conditions since the run was begun: no other run may reuse its trials."""
    facts = store.run()
    space = replace(space, compute=Compute(**facts["compute"]))
    if facts.get(CONDITIONS) != conditions(config, dataset, ready, space):
        store.set_run({CONDITIONS: None})


def check_data(facts: dict[str, Any], dataset: Dataset) -> None:
    """Compare the data set with that of the run.

    Raises:
        UsageError: they differ; the error says how.
    """
    if dataset.fingerprint != facts["data"]["fingerprint"]:
        before, now = facts["data"]["counts"], dataset.counts()
        how = f"the counts were {before}, they are {now}" if before != now else "some images are others"
        raise _changed("data", how)


def check_space(facts: dict[str, Any], space: Description, accept_changed_code: bool) -> list[str]:
    """Compare the search space and its code with those of the run.

    Returns:
        The files of changed code, where the user accepts it.

    Raises:
        UsageError: the space differs, or its code does and the user does not accept it.
    """
    late = facts.get(LATE, ())
    before, now = (
        {name: each for name, each in _parameters(declared).items() if name not in late}
        for declared in (facts["hyperparameters"], space.hyperparameters)
    )
    differences = [
        *(f"'{name}' is gone" for name in before if name not in now),
        *(f"'{name}' is new" for name in now if name not in before),
        *(
            f"'{name}' {_difference(old, now[name])}"
            for name, old in before.items()
            if name in now and old != now[name]
        ),
    ]
    num_params = facts["default_num_params"]
    if not differences and num_params != space.num_params:
        differences = [f"the default model had {num_params:,} parameters, it has {space.num_params:,}"]
    if differences:
        raise _changed("search space", "; ".join(differences))
    changed = sorted({name for name, _ in facts[CODE].items() ^ space.code.items()} - {PROGRAM})
    if changed and not accept_changed_code:
        raise UsageError(
            f"the code of the search space changed since the run was begun: {', '.join(changed)}. Its trials "
            "may be of another model. Restore it, start a new search, or go on with --accept-changed-code."
        )
    return changed


def acceptance(
    store: Store, space: Description, changed: list[str], use: Literal["search", "retraining", "ensemble"]
) -> dict[str, Any]:
    """Return the facts which say that the user accepted changed code, and for which use.

    A search goes on with it: from then on it is the code of the run. For any other use, the trials remain
    those of the code before, and the user has to accept each use.
    """
    accepted = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": changed,
        "trials_before": len(store.trials()),
        "use": use,
    }
    facts: dict[str, Any] = {ACCEPTED_CODE: [*store.run().get(ACCEPTED_CODE, []), accepted]}
    return facts | ({CODE: space.code} if use == "search" else {})


def check_names(config: SearchConfig, space: Description) -> None:
    """Check the names of `--hp` and `--weights`, and of the metrics, against a space.

    Raises:
        UsageError: the space has no such hyperparameter, or a metric has the name of a column of trials.csv.
    """
    from tuner.spaces.restriction import wanted_values

    for name in space.metrics:
        if name in TRIAL_COLUMNS:
            raise UsageError(
                f"metric '{name}' of the model is called like a column of {TRIALS_FILE}. Allowed: no name of "
                f"{', '.join(TRIAL_COLUMNS)}. Rename it where the space compiles the model."
            )
    known = _parameters(space.hyperparameters)
    for name in wanted_values(config.hp, space.presets):
        if name not in known:
            raise UsageError(f"--hp {name}: {unknown('hyperparameter', name, known)}")
    if config.weights is not None and WEIGHTS not in known:
        raise UsageError(
            f"--weights {config.weights}: search space '{config.space}' has no pretrained weights. "
            "Leave it out."
        )


def _weights(hyperparameters: dict[str, Any]) -> str | None:
    """What tells the pretrained weights of a space from others; None where it has none."""
    for parameter in _parameters(hyperparameters).get(WEIGHTS, []):
        return weights_hash(str(parameter.get("value", parameter.get("default"))))
    return None


def _parameters(hyperparameters: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Each hyperparameter as it is declared, several times where conditions ask for it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for parameter in hyperparameters["space"]:
        found.setdefault(parameter["config"]["name"], []).append(parameter["config"])
    return found


def _difference(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> str:
    if len(before) != len(now):
        return f"was declared {len(before)} times, it is {len(now)} times"
    changes = [
        f"{key} {old.get(key)}, now {new.get(key)}"
        for old, new in zip(before, now, strict=True)
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    ]
    return "had " + " and ".join(changes)


def _changed(what: str, how: str) -> UsageError:
    return UsageError(
        f"the {what} changed since the run was begun: {how}. Restore it, or start a new search."
    )
