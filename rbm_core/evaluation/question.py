"""The question of an evaluation, checked and answered: `evaluate(run_folder, estimator="bracket", …)`.

Reads a snapshot, never the trainer's own state, so the run may go on training meanwhile. The state is saved every few
seconds under evaluations/ in the run's folder; the same question asked again after an interruption resumes there and
gives the same answer, bit for bit. The answer is one line of likelihood.jsonl.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rbm_core.evaluation.estimators import BY_NAME
from rbm_core.evaluation.job import Interrupted, Job, OnProgress, kept_snapshot
from rbm_core.evaluation.subject import Subject, load_subject
from rbm_core.likelihood.ais import temperatures
from rbm_core.likelihood.annealing import sweep_precision
from rbm_core.likelihood.exact import check_tractable
from rbm_core.machine import lacks_memory
from rbm_core.runs.evaluation_record import ESTIMATORS, MOST_SWEEPS, evaluation_folder, evaluation_id
from rbm_core.runs.files import RunError, one_line
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder, check_room
from rbm_core.runs.snapshot import snapshot_file

__all__ = ["evaluate"]

_MOST_CHAINS = 10_000
_FEWEST_ROUNDS = 10  # of exchanges: every pair of neighbours is asked five times
_MOST_STATES = 5_000_000  # rounds times chains: what a ladder of thirty rungs keeps of them takes 2 GB
_ANNEALED = ("bracket", "ais", "reverse")
_TEMPERED = ("ladder", "trajectory")


def evaluate(
    path: Path | str,
    *,
    step: int | None = None,
    estimator: str = "bracket",
    betas: str | int = "salakhutdinov-murray",
    n_chains: int = 100,
    seed: int = 0,
    precision: str = "auto",
    sweeps_max: int = 100_000,
    rounds: int = 500,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """The row appended to the run's likelihood.jsonl: log_z, stderr, train/valid/test nats, verdict, settings.

    path: the run's folder. step: of a snapshot, None for the newest. estimator: a name in
    runs.evaluation_record.ESTIMATORS. betas: "salakhutdinov-murray", "adaptive" or a number of equal steps.
    sweeps_max: the longest sampling time of estimator "mixing". rounds: of exchanges that count, for "ladder" and
    "trajectory"; a fifth as many settle the chains before. on_progress: called with the content of
    progress.json. should_stop: checked between two chunks of work. Raises RunError or ValueError, one sentence, for
    what cannot be evaluated; Interrupted, with the state saved, if should_stop returned true.
    """
    path = Path(path)
    settings = _settings(estimator, betas, n_chains, seed, precision, sweeps_max, rounds)
    reader = RunReader(path)
    config = reader.config()["config"]
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {path.name!r} has no snapshot yet; wait until its trainer has written one")
    step = steps[-1] if step is None else step
    folder = evaluation_folder(path, evaluation_id(step, estimator, settings))
    snapshot = kept_snapshot(folder) or reader.snapshot(step)
    reader.likelihood()  # where the answer goes: a damaged or full file is refused now, not after the work
    check_room(path)
    subject = load_subject(path, snapshot, config)
    _check_answerable(subject, estimator, settings)
    # What can be refused is refused: from here on there is an evaluation, with a folder.
    job = Job.open(folder, on_progress=on_progress, should_stop=should_stop)
    try:
        job.progress |= {
            "id": folder.name,
            "run": path.name,
            "step": step,
            "estimator": estimator,
            "settings": settings,
        }
        # Before anything else: the page interrupts the process that is named there, and the one before is dead.
        job.show("Preparing the model.", force=True)
        job.keep_snapshot(snapshot_file(path, step))
        return _answer(path, subject, job)
    finally:
        job.close()


def _settings(
    estimator: str,
    betas: str | int,
    n_chains: int,
    seed: int,
    precision: str,
    sweeps_max: int,
    rounds: int,
) -> dict[str, Any]:
    """What the estimator's answer depends on, and no more: it names the evaluation, so equal questions meet."""
    if estimator not in ESTIMATORS:
        raise RunError(f"no estimator {estimator!r}; there are: {', '.join(ESTIMATORS)}")
    if not 0 <= seed < 2**64:
        raise RunError(f"seed must lie in 0 … 2^64 − 1, got {seed}")
    if estimator in (*_ANNEALED, "mixing", *_TEMPERED) and not 2 <= n_chains <= _MOST_CHAINS:
        raise RunError(f"n_chains must be at least 2 and at most {_MOST_CHAINS:,}, got {n_chains:,}")
    if estimator in _ANNEALED:
        if betas != "adaptive":
            temperatures(betas)
        return {"seed": seed, "betas": betas, "n_chains": n_chains, "precision": precision}
    if estimator == "mixing":
        if not 1 <= sweeps_max <= MOST_SWEEPS:
            raise RunError(f"sweeps must be 1 to {MOST_SWEEPS:,}, got {sweeps_max:,}")
        return {"seed": seed, "n_chains": n_chains, "sweeps": sweeps_max}
    if estimator in _TEMPERED:
        most = _MOST_STATES // n_chains
        if not _FEWEST_ROUNDS <= rounds <= most:
            raise RunError(
                f"rounds must be {_FEWEST_ROUNDS} to {most:,} with {n_chains:,} chains, got {rounds:,}"
            )
        return {"seed": seed, "n_chains": n_chains, "rounds": rounds}
    return {"seed": seed}


def _check_answerable(subject: Subject, estimator: str, settings: dict[str, Any]) -> None:
    """Raises ValueError in one sentence if the estimator cannot judge this model."""
    if estimator == "exact":
        check_tractable(subject.rbm)
    if settings.get("precision", "auto") != "auto":
        sweep_precision(subject.rbm, settings["n_chains"], settings["precision"])


def _answer(path: Path, subject: Subject, job: Job) -> dict[str, Any]:
    """Runs the estimator, appends its row to the run's record, and writes how the job ended."""
    name, settings = job.progress["estimator"], job.progress["settings"]
    try:
        estimate = _estimate(subject, job)
    except Interrupted:
        job.end("interrupted", "Interrupted; start it again to go on.")
        raise
    except Exception as error:
        if not lacks_memory(error):
            job.end("failed", one_line(error))
            raise
        too_large = _too_large(name, settings)
        job.end("failed", str(too_large))
        raise too_large from error
    row = {
        "step": subject.snapshot.step,
        "epoch": subject.snapshot.meta.get("epoch"),
        "estimator": name,
        "settings": settings,
        **estimate,
        "seconds": job.seconds,
        "binarisation": subject.binarisation,
        "id": job.folder.name,
    }
    _append_once(path, row, float(job.progress["started"]))
    job.progress |= {"row": row, "done": job.progress.get("total", 1)}
    job.end("finished")
    return row


def _estimate(subject: Subject, job: Job) -> dict[str, Any]:
    """The estimator's part of the row; computed anew where a saved state was taken up that did not fit."""
    name, settings = job.progress["estimator"], job.progress["settings"]
    try:
        return BY_NAME[name](subject, settings, job)
    except (Interrupted, RunError, OSError):
        raise
    except Exception as error:
        if not job.resumed or lacks_memory(error):
            raise
    job.begin_anew()
    return BY_NAME[name](subject, settings, job)


def _too_large(name: str, settings: dict[str, Any]) -> RunError:
    chains = f" with {settings['n_chains']:,} chains: ask for fewer, or" if "n_chains" in settings else ":"
    return RunError(
        f"not enough memory for estimator {name!r}{chains} stop other programs, or raise the limit on memory"
    )


def _append_once(path: Path, row: dict[str, Any], started: float) -> None:
    """Appends the row unless it is there: a process may be killed between appending it and writing that it ended."""
    for known in RunReader(path).likelihood():
        if known.get("id") == row["id"] and float(known.get("time", 0.0)) >= started:
            return
    Recorder(path).append_likelihood(row)
