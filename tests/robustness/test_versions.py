"""Records of an older version, and of a schema that this one does not know."""

import json
from pathlib import Path

import pytest

from rbm_core.cli import main
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunError, RunReader, control, create_run, list_runs, store
from rbm_core.runs.files import read_object, write_json
from rbm_core.training import process as training_process
from tests.core.run_record import CONFIG
from tests.core.training_runs import FakeTraining, Watcher, make_run
from tests.dashboard.opened import open_page as open_in_test
from tests.robustness.after import fingerprint, nothing_half_written
from tests.robustness.damage import one_sentence

FIRST_SETTINGS = (  # those that the first version of the format had, as far as the tests' run sets them
    *(
        "dataset",
        "n_valid",
        "n_hidden",
        "algorithm",
        "k",
        "n_chains",
        "batch_size",
        "epochs",
        "learning_rate",
    ),
    *("seed", "device", "precision", "log_every", "max_snapshots"),
)


def test_a_record_of_an_older_version_opens_and_goes_on(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the entries that came later it is read with their defaults, shown, and trained to its end."""
    run = make_run(runs_root, "older", epochs=100, log_every=10)
    watcher = Watcher(run)
    fake.cost = 0.0005
    watcher.when(lambda status: status["step"] > 50, lambda: control.send(run, "stop"))
    assert training_process.run(run, watcher) == "stopped"
    config, status = read_object(run / "config.json"), read_object(run / "status.json")
    kept = {name: config["config"][name] for name in FIRST_SETTINGS}
    few = ("schema", "name", "created", "data")
    write_json(run / "config.json", {**{name: config[name] for name in few}, "config": kept})
    write_json(run / "status.json", {name: status[name] for name in ("state", "pid", "heartbeat", "step")})
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (run / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"step": row["step"], "learning_rate": row["learning_rate"]}) + "\n" for row in rows
        )
    )
    (run / "events.jsonl").unlink()
    nothing_half_written(run)
    assert RunReader(run).config()["config"]["patience"] == 0
    for command in (["runs"], ["doctor", "older"]):
        assert main(command) == 0
        assert "Traceback" not in "".join(capsys.readouterr())
    app = open_in_test(run="older")
    assert not app.exception, app.exception[0].value
    fake.cost = 0.0
    assert training_process.run(run) == "finished"
    assert RunReader(run).metrics()["step"].tolist() == list(range(0, 1601, 10))


@pytest.mark.parametrize("schema", [0, -1, "1", None, True, 2])
def test_a_schema_that_this_version_does_not_know_is_named_and_nothing_is_changed(
    trained: Path, schema: object
) -> None:
    create_run(trained.parent, "neighbour", CONFIG)
    write_json(trained / "config.json", {**read_object(trained / "config.json"), "schema": schema})
    before = fingerprint(trained)
    for act in (training_process.run, evaluate, store.resumable):
        with pytest.raises(RunError, match="schema") as refused:
            act(trained)
        assert one_sentence(str(refused.value))
    assert fingerprint(trained) == before
    assert {info.name: info.error is None for info in list_runs(trained.parent)} == {
        "neighbour": True,
        "trained": False,
    }
