"""`python -m rbm_core runs`: the list of runs."""

from rich.table import Table

from rbm_core.cli.console import Runs, app, examples, out
from rbm_core.runs import store


@app.command(epilog=examples("runs", "runs --runs /data/experiments"))
def runs(runs: Runs = None) -> None:
    """List the runs, newest first."""
    root = runs or store.runs_root()
    infos = store.list_runs(root)
    if not infos:
        out.print(
            f"No run in {store.shown(root)} yet; start one with: python -m rbm_core train --preset quick"
        )
        return
    table = Table(box=None, pad_edge=False)
    for column, justify in (("run", "left"), ("state", "left"), ("step", "right"), ("of", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for column in ("data", "preset", "created"):
        table.add_column(column)
    for info in infos:
        if info.error:
            table.add_row(info.name, "unreadable", "", "", info.error, "", "")
            continue
        created = info.created[:16].replace("T", " ")
        table.add_row(
            info.name,
            info.state,
            f"{info.step:,}",
            f"{info.n_steps:,}",
            info.dataset,
            info.preset or "",
            created,
        )
    out.print(table)
