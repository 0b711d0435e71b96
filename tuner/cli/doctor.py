"""`tuner doctor`: check the files of a run and mend them."""

from __future__ import annotations

import dataclasses

from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, ResultsDirOption, RunArgument
from tuner.cli.output import print_rows
from tuner.errors import TunerError
from tuner.results.query import find_folder, reference


def doctor(
    run: RunArgument = None, form: FormatOption = "table", results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR
) -> None:
    """Check the files of a run, mend what can be mended, and say what was done."""
    path = find_folder(run, results_dir)

    from tuner.results.repair import Finding, repair_run
    from tuner.search.run_folder import locked

    with locked(path):
        findings = repair_run(path)
    columns = [field.name for field in dataclasses.fields(Finding)]
    print_rows(columns, [dataclasses.asdict(finding) for finding in findings], form)
    damaged = [finding.checked for finding in findings if finding.status == "damaged"]
    if damaged:
        raise TunerError(f"run '{reference(path)}' is damaged: {', '.join(damaged)}. See above what is left.")
