"""`python -m rbm_core evaluate`: the likelihood of a snapshot, with its error bar."""

import signal
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from rbm_core.cli.console import RunName, Runs, Seed, app, duration, err, examples, out, shown
from rbm_core.runs import store
from rbm_core.runs.evaluation_record import ESTIMATORS


@app.command(
    epilog=examples(
        "evaluate mnist-default",
        "evaluate mnist-default --snapshot 550 --estimator ais --temperatures 2000",
        "evaluate mnist-default --estimator mixing --sweeps 10000",
        "evaluate mnist-default --estimator trajectory --rounds 2000",
    )
)
def evaluate(
    run: RunName,
    estimator: Annotated[
        str, typer.Option(help=" ".join(f"{name}: {words.says}" for name, words in ESTIMATORS.items()))
    ] = "bracket",
    snapshot: Annotated[
        int | None, typer.Option(help="Snapshot to judge, by step; default the newest.")
    ] = None,
    temperatures: Annotated[
        str, typer.Option(help="salakhutdinov-murray (14,500 steps), adaptive, or a number of equal steps.")
    ] = "salakhutdinov-murray",
    chains: Annotated[int, typer.Option(help="Chains, at least 2: their spread is the error bar.")] = 100,
    sweeps: Annotated[
        int, typer.Option(min=1, help="Estimator mixing: the longest sampling time.")
    ] = 100_000,
    rounds: Annotated[
        int, typer.Option(min=1, help="Estimators ladder and trajectory: rounds of exchanges that count.")
    ] = 500,
    precision: Annotated[
        str, typer.Option(help="How chains are swept: auto, differences, bfloat16, float32 or float64.")
    ] = "auto",
    seed: Seed = 0,
    runs: Runs = None,
) -> None:
    """Estimate a run's log-likelihood in nats, with its error bar. After Ctrl-C the same command goes on."""
    from rbm_core.evaluation import Interrupted
    from rbm_core.evaluation import evaluate as work

    path = store.to_change(runs or store.runs_root(), run)
    try:
        with _EvaluationBar(estimator) as bar:
            row = work(
                path,
                step=snapshot,
                estimator=estimator,
                betas=int(temperatures) if temperatures.isdecimal() else temperatures,
                n_chains=chains,
                seed=seed,
                precision=precision,
                sweeps_max=sweeps,
                rounds=rounds,
                on_progress=bar.show,
                should_stop=lambda: bar.interrupted,
            )
    except Interrupted:
        named = "" if snapshot is not None else f" with --snapshot {bar.step}"
        err.say(f"Interrupted; the same command{named} goes on from here.")
        raise typer.Exit(130) from None
    out.print(_table(row))
    for line in _of_labels(row):
        out.say(line)


class _EvaluationBar:
    """The progress of one evaluation; while it stands, Ctrl-C sets `interrupted` in place of ending the process.

    step: of the snapshot that is judged, once the evaluation has begun.
    """

    def __init__(self, estimator: str) -> None:
        self.interrupted, self.step = False, 0
        self._estimator = estimator
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=err,
        )
        self._task = self._progress.add_task(estimator, total=None, left="")

    def __enter__(self) -> "_EvaluationBar":
        self._previous = signal.signal(signal.SIGINT, self._interrupt)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        signal.signal(signal.SIGINT, self._previous)

    def _interrupt(self, *_: object) -> None:
        self.interrupted = True

    def show(self, progress: dict[str, Any]) -> None:
        self.step = progress["step"]
        left = progress.get("seconds_left")
        self._progress.update(
            self._task,
            description=shown(progress.get("stage") or self._estimator),
            total=progress.get("total") or None,
            completed=progress.get("done", 0),
            left="" if left is None else f"{duration(left)} left",
        )


def _of_labels(row: dict[str, Any]) -> list[str]:
    """A line a part of the data, for a run with label units: its error and three log-likelihoods, from their terms."""
    lines = []
    for part in ("train", "valid", "test"):
        if f"{part}_joint_nats" not in row:
            continue
        v, y, both = (row[f"{part}_{what}"] for what in ("nats", "label_nats", "joint_nats"))
        error, bar = 100 * row[f"{part}_error"], 100 * row[f"{part}_error_stderr"]
        log_z = row["log_z"]
        line = (
            f"{part}: {error:.2f} ± {bar:.2f} % named wrongly; log p(v) = mean(-F(v)) - log Z = {v + log_z:.2f} - "
            f"{log_z:.2f} = {v:.2f}; log p(y | v) = {y:.3f}, which needs no Z; log p(v, y) = {both:.2f} nats, their sum"
        )
        lines.append(line.replace("-", "−"))
    return lines


def _table(row: dict[str, Any]) -> Table:
    """The numbers of a row of likelihood.jsonl, one a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in row.items():
        if name == "settings" or name == "time":
            continue
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in parts:
            if isinstance(number, int | float | str):
                text = f"{number:,.3f}" if isinstance(number, float) else str(number)
                table.add_row(f"{name} {part}".strip(), text)
    return table
