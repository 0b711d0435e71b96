"""`tuner doctor`: check the files of a run and mend them, or look at the nodes of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, ResultsDirOption, RunArgument
from tuner.cli.output import Format, note, show
from tuner.cli.progress import waiting
from tuner.config import make_config
from tuner.errors import TunerError, UsageError
from tuner.results.query import find_folder, reference
from tuner.results.tables import rows_table
from tuner.results.unstarted import refuse_unstarted

CLUSTER = "Show the nodes of a Ray cluster instead: auto, ray://HOST:PORT or local."


def doctor(
    run: RunArgument = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help=CLUSTER, metavar="TEXT")] = None,
    form: FormatOption = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Check the files of a run, mend what can be mended, and say what was done; or check a cluster."""
    if cluster is not None:
        if run is not None:
            raise UsageError(f"--cluster shows nodes, not the run '{run}'. Give one of them.")
        _show_cluster(make_config({"cluster": cluster}).cluster or "", form)
        return
    refuse_unstarted(run, results_dir)
    path = find_folder(run, results_dir, note)

    from tuner.results.lock import locked
    from tuner.results.repair import repair_run

    with locked(path):
        findings = repair_run(path)
    show(rows_table(findings), form)
    damaged = [finding.checked for finding in findings if finding.status == "damaged"]
    if damaged:
        raise TunerError(f"run '{reference(path)}' is damaged: {', '.join(damaged)}. See above what is left.")


def _show_cluster(address: str, form: Format) -> None:
    """Print a row for each node.

    Raises:
        TunerError: nodes differ from this machine, or do not answer.
    """
    from tuner.workers.ray_nodes import cluster_nodes

    with waiting("asking the nodes"):
        nodes = cluster_nodes(address)
    # Of the versions, the table has those that differ, in a column of their own: lines are short.
    show(rows_table(nodes).drop(columns="versions" if form == "table" else []), form)
    if differing := [node.host for node in nodes if node.differs]:
        raise TunerError(
            f"{len(differing)} of {len(nodes)} nodes have other versions than this machine: "
            f"{', '.join(differing)}. Install the same on all; a search leaves out nodes that differ."
        )
    if silent := [node.host for node in nodes if node.status == "silent"]:
        raise TunerError(f"no answer from {', '.join(silent)}. Is tuner installed there?")
