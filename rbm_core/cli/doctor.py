"""`python -m rbm_core doctor`: the checks of a run that the Train page shows."""

from rbm_core.cli.console import RunName, Runs, Step, app, examples, out
from rbm_core.doctor import examine, record_of, report
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader


@app.command(epilog=examples("doctor mnist-default", "doctor mnist-default --step 831"))
def doctor(run: RunName, step: Step = None, runs: Runs = None) -> None:
    """Say what looks wrong with a run and what to try: every check with its evidence, its threshold and its source."""
    record = record_of(RunReader(store.resolve(runs or store.runs_root(), run)), step)
    at = f"step {record.newest.step:,}" if record.newest else record.damaged or "no snapshot yet"
    first, *rest = report(examine(record))
    for line in (f"Run {run}, {at}: {first}", *rest):
        out.say(line)
