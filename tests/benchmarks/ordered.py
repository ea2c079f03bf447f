"""Ordered hidden units beside a layer of fixed size, trained for equal processor time on binarised MNIST:

    python -m tests.benchmarks.ordered FOLDER [SECONDS]

Every model learns for SECONDS (150) of processor time on one thread, by PCD with the centred gradient, its learning
rate falling in a straight line to 0 over that time, and is then judged on the 10,000 test images, each binarised once.
What is done is kept in FOLDER, so that a second call goes on; the last one prints the table.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rbm_core import datasets
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.likelihood import judge
from rbm_core.machine import processor_name
from rbm_core.pixels import as_bytes
from rbm_core.rbm import RBM
from rbm_core.training import Training

COMMON: dict[str, Any] = {"dataset": "mnist", "averaging": 0.05, "lr_schedule": "constant", "device": "cpu"}
LAYERS: dict[str, dict[str, Any]] = {
    "ordinary, 500 units": {"n_hidden": 500, "learning_rate": 0.1},
    "ordered, penalty 1.01": {"n_hidden": 1000, "learning_rate": 0.1, "ordered": True},
    "ordered, penalty 1.001": {"n_hidden": 1000, "learning_rate": 0.1, "ordered": True, "penalty": 1.001},
}
_EACH = 50  # updates between two looks at the clock


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 150.0
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    data = datasets.load("mnist")
    for number, fields in enumerate(LAYERS.values()):
        kept = folder / f"{number}.npz"
        if not kept.exists():
            learn(data, fields, seconds, kept)
    print(f"{processor_name()}, one thread, {seconds:g} s of processor time each\n")
    print(
        "| layer | units in use | updates | mean log p of a test image, nats | verdict |\n|---|---|---|---|---|"
    )
    for number, name in enumerate(LAYERS):
        answer = folder / f"{number}.json"
        if not answer.exists():
            answer.write_text(json.dumps(judged(data, folder / f"{number}.npz")))
        a = json.loads(answer.read_text())
        print(
            f"| {name} | {a['units']} | {a['updates']:,} | {a['nats']:.2f} ± {a['stderr']:.2f} | {a['verdict']} |"
        )


def learn(data: datasets.Dataset, fields: dict[str, Any], seconds: float, kept: Path) -> None:
    """Trains for so long and writes the averaged model and the chains."""
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
    chains = training.state.phases.v_chains.float().numpy()
    penalty = np.array(np.nan if training.rbm.penalty is None else training.rbm.penalty)
    with kept.open("wb") as file:
        np.savez(file, **training.rbm.to_numpy(), chains=chains, penalty=penalty, updates=training.step)


def judged(data: datasets.Dataset, kept: Path) -> dict[str, Any]:
    """The mean log p of the test images, and how far log Z can be believed."""
    arrays = np.load(kept)
    penalty = None if np.isnan(arrays["penalty"]) else float(arrays["penalty"])
    rbm = RBM.from_numpy(arrays["W"], arrays["vbias"], arrays["hbias"], penalty=penalty)
    train, test = (binarised(images, name) for name, images in (("train", data.train), ("test", data.test)))
    found = judge(rbm, data=train, particles=torch.from_numpy(arrays["chains"]), betas="adaptive")
    free = torch.cat([rbm.free_energy(part) for part in test.split(1000)]).double()
    over_cases = float(free.std()) / len(free) ** 0.5
    return {
        "units": rbm.in_use,
        "updates": int(arrays["updates"]),
        "nats": -float(free.mean()) - found.log_z,
        "stderr": float(np.hypot(found.stderr, over_cases)),
        "verdict": found.sentence,
    }


def binarised(images: np.ndarray, name: str) -> torch.Tensor:
    """Each pixel drawn once with its grey value as its odds, by the random numbers of an evaluation."""
    grey = torch.from_numpy(as_bytes(images))
    return Rng(0, f"evaluate-{name}").binarise(grey, torch.arange(len(grey)), torch.empty(grey.shape))


if __name__ == "__main__":
    main()
