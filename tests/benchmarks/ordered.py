"""Ordered hidden units beside a layer of fixed size, trained for equal processor time on binarised MNIST:

    python -m tests.benchmarks.ordered FOLDER [SECONDS]

Every model learns for SECONDS (150) of processor time on one thread, by PCD-1 with the centred gradient, its learning
rate falling in a straight line to 0 over that time. It then is a run in FOLDER, which is evaluated: AIS and reverse AIS
of 3,000 temperatures, with estimates of other origins beside them, on the 10,000 test images. A second call goes on
where the first was interrupted: after the last model that was learned, or amid an evaluation.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch

from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.evaluation import evaluate
from rbm_core.exchange.importing import import_model
from rbm_core.machine import processor_name
from rbm_core.runs.files import read_object, write_json
from rbm_core.runs.reader import RunReader
from rbm_core.training import Training

COMMON: dict[str, Any] = {"dataset": "mnist", "averaging": 0.05, "lr_schedule": "constant", "device": "cpu"}
LAYERS: dict[str, dict[str, Any]] = {
    "ordered-1000": {"n_hidden": 1000, "learning_rate": 0.1, "ordered": True},
    "ordinary-500": {"n_hidden": 500, "learning_rate": 0.1},
}
_EACH = 50  # updates between two looks at the clock


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 150.0
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    data = datasets.load("mnist")
    for name, fields in LAYERS.items():
        if not (folder / name).exists():
            learn(folder, name, data, fields, seconds)
    print(f"{processor_name()}, one thread, {seconds:g} s of processor time each\n")
    heads = ("layer", "units in use", "updates", "test, nats", "validation", "training", "verdict")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in LAYERS:
        a = evaluate(folder / name, betas=3000, precision="auto")
        reader = RunReader(folder / name)
        numbers = (f"{a[part + '_nats']:.2f}" for part in ("test", "valid", "train"))
        in_use, updates = reader.snapshot(0).in_use, read_object(folder / f"{name}.json")["updates"]
        print(
            f"| {name} | {in_use} | {updates:,} | {' | '.join(numbers)} ± {a['stderr']:.2f} | {a['verdict']} |"
        )


def learn(folder: Path, name: str, data: datasets.Dataset, fields: dict[str, Any], seconds: float) -> None:
    """Trains for so long and makes the averaged model a run."""
    config = make_config(**COMMON, **fields)
    training, spent = Training(config, data), 0.0
    for _ in range(3):
        training.update()  # compiles
    while spent < seconds:
        training.set("learning_rate", max(config.learning_rate * (1 - spent / seconds), 1e-9))
        begun = time.process_time()
        for _ in range(_EACH):
            training.update()
        spent += time.process_time() - begun
    write_json(folder / f"{name}.json", {"updates": training.step})
    import_model(training.rbm, name, root=folder, dataset="mnist")


if __name__ == "__main__":
    main()
