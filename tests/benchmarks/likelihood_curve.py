"""The live likelihood of a run compared with AIS: python -m tests.benchmarks.likelihood_curve RUN [PICTURE.png]

Brackets log Z of a finished run's snapshots by AIS and reverse AIS, 100 chains × 14,500 temperatures each way, and
prints the mean log-likelihood of the monitored training images, in nats, beside the live curve's at the same step:
ten snapshots at which the run annealed, and five between two of those. The evaluations are recorded in the run. With
PICTURE, Chromium draws both. About five minutes on two cores.
"""

import argparse
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from playwright.sync_api import sync_playwright

from dashboard.figures.plotly_look import dress, lines, soft
from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.evaluation import evaluate
from rbm_core.rbm import RBM
from rbm_core.runs import RunError, store
from rbm_core.runs.reader import RunReader
from rbm_core.training import Training
from tests.live import CHROMIUM, CHROMIUM_FLAGS

ANNEALED, BETWEEN = 10, 5  # snapshots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("picture", nargs="?", type=Path)
    asked = parser.parse_args()
    try:
        path = store.resolve(store.runs_root(), asked.run)
    except RunError as error:
        parser.error(str(error))
    reader = RunReader(path)
    config = make_config(**reader.config()["config"])
    training = Training(config, datasets.load(config.dataset, n_valid=config.n_valid))
    metrics = reader.metrics()
    known = np.isfinite(metrics["log_likelihood_train"])
    steps, live = metrics["step"][known], metrics["log_likelihood_train"][known]
    bars = metrics["log_z_stderr"][known]
    kept = [step for step in reader.snapshot_steps() if step >= steps[0]]
    assert training.monitor.online is not None
    annealed = [step for step in kept if step in training.monitor.online.plan]
    between = [step for step in kept if step not in annealed]
    chosen = sorted(spread(annealed, ANNEALED) + spread(between, BETWEEN))
    print(
        "mean log p of the monitored training images, nats; * between two annealings\n"
        "    step   epoch   live ± bar        AIS ± bar     live − AIS"
    )
    points = []
    for step in chosen:
        row = evaluate(path, step=step)
        snapshot = reader.snapshot(step)
        model = RBM.from_numpy(snapshot.W, snapshot.vbias, snapshot.hbias, visible=config.visible)
        nats = -float(model.free_energy(training.monitor.train).mean()) - row["log_z"]
        shown, bar = np.interp(step, steps, live), np.interp(step, steps, bars)
        points.append((step / training.steps_per_epoch, nats, row["stderr"], shown - nats))
        ess = f"ess {row['forward']['ess']:.0f}, {row['reverse']['ess']:.0f} of 100"
        print(
            f"{step:8,} {points[-1][0]:7.1f}  {shown:8.2f} ± {bar:4.2f}  {nats:8.2f} ± {row['stderr']:4.2f}  "
            f"{shown - nats:+8.2f} {'*' if step in between else ' '} {ess}",
            flush=True,
        )
    for words, group in (("annealed", annealed), ("between", between)):
        off = np.array([abs(p[3]) for step, p in zip(chosen, points, strict=True) if step in group])
        if len(off):
            within = f"{(off < 1).sum()} of {len(off)} within 1 nat"
            print(f"{words}: {within}, {np.median(off):.2f} in the median, {off.max():.2f} at most")
    if asked.picture:
        draw(asked.picture, steps / training.steps_per_epoch, live, bars, np.array(points).T)


def spread(steps: list[int], n: int) -> list[int]:
    """n of the steps, evenly spaced in the list; all of them where there are fewer."""
    return [steps[round(i)] for i in np.linspace(0, len(steps) - 1, min(n, len(steps)))]


def draw(picture: Path, epochs: np.ndarray, live: np.ndarray, bars: np.ndarray, points: np.ndarray) -> None:
    """Draws the live curve with its band, and AIS at the snapshots, into the PNG file `picture`."""
    first, second = list(lines(False).values())[:2]
    band = np.concatenate([live + bars, (live - bars)[::-1]])
    figure = go.Figure(
        [
            go.Scatter(
                x=np.concatenate([epochs, epochs[::-1]]),
                y=band,
                fill="toself",
                line={"width": 0},
                fillcolor=soft(first, 0.25),
                name="its standard error",
            ),
            go.Scatter(x=epochs, y=live, line={"color": first, "width": 2}, name="live estimate"),
            go.Scatter(
                x=points[0],
                y=points[1],
                error_y={"array": points[2]},
                mode="markers",
                marker={"color": second, "size": 9},
                name="AIS and reverse AIS, 100 × 14,500",
            ),
        ]
    )
    dress(figure, False, 420, title={"text": "Log-likelihood of 1,000 training images while learning"})
    figure.update_layout(showlegend=True, legend={"x": 0.98, "y": 0.05, "xanchor": "right"}, width=900)
    figure.update_xaxes(title={"text": "epoch"}, type="log")
    figure.update_yaxes(title={"text": "nats an image"}, range=[max(-130, live.min()) - 2, live.max() + 2])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 916, "height": 436}, device_scale_factor=1.5)
        page.set_content(figure.to_html(include_plotlyjs=True))
        page.wait_for_selector(".main-svg")
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
