"""`python -m rbm_core runs`: the list of runs."""

from rbm_core.cli.console import Runs, app, columns, err, examples, out
from rbm_core.runs import store

_HEAD = ("run", "state", "step", "of", "data", "preset", "created")


@app.command(epilog=examples("runs", "runs --runs /data/experiments"))
def runs(runs: Runs = None) -> None:
    """List the runs, newest first."""
    root = runs or store.runs_root()
    infos = store.list_runs(root)
    if not infos:
        out.say(f"No run in {store.shown(root)} yet; start one with: python -m rbm_core train --preset quick")
        return
    rows = [_HEAD, *map(_row, infos)]
    for line in columns(rows, right=(_HEAD.index("step"), _HEAD.index("of"))):
        out.say(line)
    for info in infos:
        if info.error:
            err.say(f"{info.name} cannot be read: {info.error}")


def _row(info: store.RunInfo) -> tuple[str, ...]:
    if info.error:
        return info.name, "unreadable", "", "", "", "", ""
    created = info.created[:16].replace("T", " ")
    steps = f"{info.step:,}", f"{info.n_steps:,}"
    return info.name, info.state, *steps, info.dataset, info.preset or "", created
