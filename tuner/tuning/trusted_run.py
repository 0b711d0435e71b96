"""The one gate before code that a run names: a run of this user passes, and one that the user trusts."""

from __future__ import annotations

from typing import Any, NewType

from tuner.config import SearchConfig, make_config
from tuner.errors import UsageError
from tuner.results.query import RunView
from tuner.results.schema import SIGNATURE
from tuner.results.signature import is_signed
from tuner.spaces.references import is_installed_space
from tuner.state_folder import ENVIRONMENT

TrustedRun = NewType("TrustedRun", RunView)
"""A run whose code may be executed, and whose files may be removed: only `trusted` makes one."""


def trusted(run: RunView, trust: bool) -> TrustedRun:
    """Return a run whose code may be executed. Nothing of the code is imported or compiled here.

    Args:
        trust: Whether the user says so.

    Raises:
        UsageError: it executes something beside this program, another user or another place made it, and the
            user does not trust it.
    """
    acts = _acts(run.config)
    if acts and not trust and not is_signed(run.facts):
        raise UsageError(
            f"run '{run.run_id}' was not made by you in this place, and this command {' and '.join(acts)}. "
            "Needed: your word for it. Look at that first; if you trust it, type the same with --trust."
        )
    return TrustedRun(run)


def unsigned_note(facts: dict[str, Any]) -> str | None:
    """Return a sentence for the user whose run will need --trust because it has no signature, else None."""
    if facts.get(SIGNATURE) is not None or not _acts(make_config(facts["config"])):
        return None
    return (
        "There is no folder to keep your key in, so this run is not known as yours: resume takes --trust. "
        f"Name a private folder with {ENVIRONMENT}"
    )


def _acts(config: SearchConfig) -> list[str]:
    """What a run does beside what this program and installed packages do, as ends of a sentence."""
    acts = []
    if not is_installed_space(config.space):
        acts.append(f"executes the code of '{config.space}'")
    if config.storage is not None:
        acts.append("writes and removes checkpoints in the storage that the run names")
    if config.cluster is not None and "://" in config.cluster:
        acts.append(f"executes what cluster '{config.cluster}' sends")
    return acts
