"""What a finding proposes: the run again from one of its steps, with some settings changed.

A rule may propose what its run has already, or what does not fit its other settings: `examine` leaves that out.
step: the snapshot to go on from; None: from new weights.
"""

from rbm_core.config import RunConfig
from rbm_core.doctor.finding import Remedy
from rbm_core.doctor.record import Record

__all__ = ["at_rate", "at_share", "decay", "early_stopping", "fewer_units", "more_chains", "more_sweeps"]


def at_share(record: Record, share: float, step: int | None) -> dict[str, float]:
    """The learning rate of a run from `step` (None: from new weights), as this share of what it was until then."""
    rate = record.rate(step)
    return {} if rate is None else {"learning_rate": min(100.0, float(f"{share * rate:.6g}"))}


def at_rate(record: Record, share: float, step: int | None) -> tuple[Remedy, ...]:
    """The run at this share of its learning rate, from `step`."""
    changes = at_share(record, share, step)
    return (Remedy(changes, step, step == record.newest_step(), record.rate(step)),) if changes else ()


def decay(record: Record, step: int | None) -> Remedy:
    """The run with ten times its weight decay, from `step`."""
    cost = max(1e-4, 10 * float(record.config.get("weight_decay") or 0.0))
    return Remedy({"weight_decay": min(10.0, cost)}, step, step == record.newest_step())


def early_stopping(record: Record) -> Remedy:
    """The run afresh, to end once its validation likelihood has not risen for a tenth of its updates."""
    changes = {"patience": max(1, (record.planned() or 10_000) // 10)}
    held_out = (
        {} if record.config.get("n_valid") else {"n_valid": int(RunConfig.model_fields["n_valid"].default)}
    )
    return Remedy(held_out | changes)


def fewer_units(record: Record) -> Remedy:
    """The run afresh with half its hidden units."""
    return Remedy({"n_hidden": max(1, record.n_hidden // 2)})


def more_chains(record: Record) -> Remedy:
    """The run afresh with five times as many persistent chains."""
    return Remedy({"n_chains": min(100_000, 5 * int(record.config.get("n_chains") or 1))})


def more_sweeps(record: Record, k: int | None = None) -> Remedy:
    """The run with k sweeps an update (None: five times as many), from where it stands."""
    now = int(record.recent("k") or record.config.get("k") or 1)
    step = record.newest_step()
    return Remedy({"k": min(10_000, k or 5 * now)}, step, newest=step is not None)
