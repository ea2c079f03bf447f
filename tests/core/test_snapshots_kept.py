"""The number of kept snapshots is bounded; the first and the last are among them."""

from pathlib import Path

import numpy as np
import pytest

from rbm_core.runs import (
    RunReader,
)
from rbm_core.runs.recorder import Recorder, thinned
from tests.core.run_record import moment


def test_kept_snapshots_are_bounded_and_hold_first_and_last(run: Path) -> None:
    record, read = Recorder(run, max_snapshots=8), RunReader(run)
    for step in range(0, 400, 10):
        record.write_snapshot(moment(step))
        steps = read.snapshot_steps()
        assert len(steps) <= 8
        assert (steps[0], steps[-1]) == (0, step)
    gaps = np.diff(read.snapshot_steps())
    assert gaps[0] >= gaps[-1], "thinning takes from the old ones"


@pytest.mark.parametrize("bound", [2, 3, 4, 7, 64])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 65, 130, 1000])
def test_thinning_reaches_the_bound_and_spares_both_ends(n: int, bound: int) -> None:
    steps = [step * step for step in range(n)]
    gone = thinned(steps, bound)
    kept = sorted(set(steps) - set(gone))
    assert len(kept) <= max(bound, 2)
    assert set(gone) <= set(steps)
    assert kept[:1] == steps[:1]
    assert kept[-1:] == steps[-1:]
    if n <= bound:
        assert gone == []
