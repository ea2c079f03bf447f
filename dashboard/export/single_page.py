"""What a run's single page shows: its timelapse, its curves and a Gibbs film, as payloads for the players."""

from typing import Any

from dashboard.components import page
from dashboard.components.blob import pack
from dashboard.figures import cases, moment
from dashboard.figures import curves as curve_rows
from dashboard.figures.comparison import records
from dashboard.processes import gibbs_films, sampler
from rbm_core import datasets
from rbm_core.runs import RunError, RunReader, Snapshot
from rbm_core.runs.files import sentence
from rbm_core.runs.vocabulary import LIVE_STATES, only_imported

__all__ = ["single_page"]

_MOST_BYTES = 24_000_000  # of the timelapse's pictures before they are compressed
_CHAINS, _SWEEPS, _SEED = 25, 100, 7
_ENDS = {"diverged": "diverged", "failed": "failed", "interrupted": "was interrupted"}


def single_page(reader: RunReader) -> tuple[bytes, str]:
    """(the HTML file, what is in it in words). Raises RunError if nothing of the run can be shown."""
    described, status = reader.config(), reader.status()
    steps = reader.snapshot_steps()
    newest = reader.snapshot(steps[-1])
    recorded = (described.get("data") or {}).get("image_shape")
    shape = moment.image_shape(newest.W.shape[0], recorded)
    kept = _evenly(steps, _MOST_BYTES // (newest.W.size + 200 * newest.W.shape[0]))
    payloads: dict[str, bytes] = {}
    for step in kept:
        payloads |= _pictures(reader, reader.snapshot(step), shape)
    seed = described["config"].get("seed")
    of = {"run": reader.name, "step": kept[-1], "seed": seed}
    payloads["curves"] = _curves(reader, kept[-1], status, of)
    words = f"timelapse of {len(kept)} snapshots and curves"
    film, missing = _film(reader, newest)
    if film is not None:
        payloads["film"] = film
        words += f", and a Gibbs film of {_CHAINS} chains"
    header = {
        "steps": kept,
        "newest": kept[-1],
        "n_steps": int(status["n_steps"]),
        "steps_per_epoch": float(status["steps_per_epoch"] or 1),
        "shown": kept[-1],
        "follows": True,
        "alive": False,
        "moving": False,
        "events": curve_rows.marks(reader.events()),
        "answers": None,
        "heard": [],
        "beat": 0,
    }
    file = page.page(
        name=reader.name,
        summary=_summary(described, newest),
        notice=_ended(described, status),
        facts=_facts(reader, described, status, kept, missing),
        timeline=header,
        payloads=payloads,
        said=cases.in_words if cases.table_of(described) is not None else str,
    )
    return file, words


def _evenly(steps: list[int], most: int) -> list[int]:
    most = max(2, most)
    if len(steps) <= most:
        return steps
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def _pictures(reader: RunReader, snapshot: Snapshot, shape: tuple[int, int]) -> dict[str, bytes]:
    step = snapshot.step
    more = {"version": str(step), "of": {"run": reader.name, "step": step}}
    order = moment.order_of_units("index", snapshot, None)
    filters, tiles = moment.filters(snapshot, shape, order)
    fantasies, means = moment.particles(snapshot, shape, probe=reader.probe())
    config = reader.config()
    return {
        f"filters-{step}": pack(cases.dressed({**filters, **more}, config), tiles),
        f"fantasies-{step}": pack(cases.dressed({**fantasies, **more}, config), means),
    }


def _curves(reader: RunReader, cursor: int, status: dict[str, Any], of: dict[str, Any]) -> bytes:
    header = {
        "version": reader.name,
        "from": 0,
        "columns": curve_rows.COLUMNS,
        "cursor": cursor,
        "events": curve_rows.marks(reader.events()),
        "steps_per_epoch": float(status["steps_per_epoch"] or 1),
        "view": {"group": "energy", "axis": "step"},
        "of": of,
        "alive": False,
    }
    arrays = {
        "rows": curve_rows.rows_of(reader.metrics(), 0),
        "estimates": curve_rows.estimates(reader.likelihood()),
    }
    return pack(cases.dressed(header, reader.config()), arrays)


def _film(reader: RunReader, snapshot: Snapshot) -> tuple[bytes | None, str]:
    """(the film of the newest model from coin tosses, ""), or (None, why there is none)."""
    settings = gibbs_films.ChainSettings(start="noise", chains=_CHAINS, sweeps=_SWEEPS, seed=_SEED)
    known = datasets.available(str(reader.config()["config"].get("dataset", "")))
    try:
        shown = gibbs_films.make_film(
            reader, snapshot, settings, reader.snapshot, with_map=known, with_nearest=known
        )
    except (sampler.SamplerError, RunError) as error:
        return None, str(error)
    place = {"frame": 0, "chain": 1, "show": "both", "layer": "pv"}
    header = {
        **shown.header,
        "place": place,
        "place_defaults": place,
        "ask": 0,
        "slim": False,
        "map_pending": False,
        "nearest_pending": False,
    }
    return pack(header, shown.arrays), ""


def _summary(described: dict[str, Any], newest: Snapshot) -> str:
    V, H = newest.W.shape
    data = (described.get("data") or {}).get("name") or described["config"].get("dataset", "its data")
    sense = "It learns strokes (left) so that what it dreams (right) looks like the data."
    if cases.table_of(described) is not None:
        sense = cases.in_words(sense)
    return f"A restricted Boltzmann machine of {V} visible and {H} hidden units, learning {data}. {sense}"


def _ended(described: dict[str, Any], status: dict[str, Any]) -> str:
    """How the run ended, if not at its last update: a page that is passed on must not hide a divergence."""
    state, said = str(status["state"]), status["message"] and sentence(status["message"])
    where = f"at step {int(status['step']):,} of {int(status['n_steps']):,}"
    if only_imported(described, int(status["step"])):
        return f"A model of the file {described['origin']['file']}; nothing was trained here."
    if state == "finished":
        return str(said)  # a run that stopped early says why
    if state == "stopped":
        return f"The run was stopped {where}."
    if state in LIVE_STATES:
        return f"This page was made while the run was being trained, {where}."
    return f"The run {_ENDS[state]} {where}. {said}".strip()


def _facts(
    reader: RunReader, described: dict[str, Any], status: dict[str, Any], kept: list[int], missing: str
) -> dict[str, str]:
    config, data = described["config"], described.get("data") or {}
    if only_imported(described, int(status["step"])):
        settings = records.of_the_model(config)
    else:
        settings = records.as_trained(config, reader.events())
    device = (described.get("device") or {}).get("name", "an unnamed device")
    facts = {
        "run": described.get("name", ""),
        "trained": f"{kept[-1]:,} updates, {status['seconds']:,.0f} s on {device}",
        "data": f"{data.get('name', config.get('dataset'))}, fingerprint {data.get('fingerprint', 'unknown')}",
        "settings": ", ".join(f"{key} {value}" for key, value in settings.items()),
        "versions": ", ".join(f"{key} {value}" for key, value in (described.get("versions") or {}).items()),
        "film": f"{_CHAINS} chains, {_SWEEPS} sweeps, seed {_SEED}, of the model at step {kept[-1]:,}"
        if not missing
        else f"none: {missing}",
        "made with": f"RBM Observatory: python -m rbm_core export {described.get('name', 'RUN')} --out page.html",
    }
    return {key: value for key, value in facts.items() if value}
