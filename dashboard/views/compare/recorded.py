"""Runs as the table shows them, read from the store."""

from dashboard import data
from dashboard.figures.comparison import likelihoods, records
from dashboard.figures.comparison.records import Record
from dashboard.ui.texts import unformatted
from rbm_core.runs import RunError, RunInfo
from rbm_core.runs.vocabulary import only_imported


def record(info: RunInfo) -> Record:
    """One run as the table shows it. What cannot be read says so in its row, and hides no other run."""
    if info.error:
        return Record(info.name, error=info.error)
    try:
        reader = data.reader_of(info)
        config, status, last = reader.config(), reader.status(), reader.latest()
        imported = only_imported(config, int(status["step"]))
        fields = (
            records.of_the_model(config["config"])
            if imported
            else records.as_trained(config["config"], reader.events())
        )
        row = likelihoods.best_likelihood(reader.likelihood())
    except RunError as error:
        return Record(info.name, error=str(error))
    tags, note = notes(info)
    value = None if row is None else likelihoods.nats_of(row)
    return Record(
        name=info.name,
        state=records.IMPORTED if imported else status["state"],
        preset=None if imported else config.get("preset"),
        created=str(config.get("created", "")),
        step=int(status["step"]),
        epoch=float(status["epoch"]),
        seconds=float(status["seconds"]),
        fields=fields,
        last=last,
        likelihood=None if row is None or value is None else (value, float(row.get("stderr") or 0.0)),
        trusted=None if row is None else row.get("trusted"),
        tags=tags,
        note=note,
    )


def notes(info: RunInfo) -> tuple[tuple[str, ...], str]:
    """(tags, note) of the run; a note that cannot be read is its reason."""
    try:
        written = data.notes_of(info)
    except RunError as error:
        return (), unformatted(error)
    return written.tags, written.note
