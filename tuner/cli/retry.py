"""`tuner retry`: run failed trials again."""

from __future__ import annotations

from typing import Any

from tuner.cli.options import DEFAULT_RESULTS_DIR, QuietOption, ResultsDirOption, RunArgument, TrustOption
from tuner.cli.resume import AcceptChangedCode, changes_of_a_run, continue_run


@changes_of_a_run
def retry(
    run: RunArgument = None,
    accept_changed_code: AcceptChangedCode = False,
    trust: TrustOption = False,
    _quiet: QuietOption = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
    **changes: Any,
) -> None:
    """Run the failed trials of a run again, each from its beginning, then whatever else is left to do."""
    continue_run(run, results_dir, changes, accept_changed_code, trust, retry=True)
