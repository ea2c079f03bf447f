"""Text that others wrote is shown as text: in links, in the files of a run, in the names of folders.

The poison is a picture, a link, HTML, formulas and icons in one. Three nets: the source is read for a place that does
not use `plain`; every page is built with each field poisoned; and a browser shows the pages, and asks for nothing.
"""

import csv
import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest

from dashboard.processes import trainers
from dashboard.ui.link import FIELDS
from dashboard.ui.new_run.data_set import OWN_FILES
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.runs import RunReader
from rbm_core.runs.recorder import Recorder
from tests.dashboard.opened import as_read
from tests.dashboard.opened import open_page as open_in_memory
from tests.live import REPO, App, settle
from tests.robustness.provenance import Module
from tests.small_run import train_small

POISON = (
    "![p](http://evil.example/p.png) [l](http://evil.example/l) www.evil.example me@evil.example "
    '<img src="http://evil.example/h.png" onerror="alert(1)"> $x^2$ :material/bug_report: :red[r] `c`'
)
POISON_IN_LINK = quote(POISON)
PAGES = ("train", "gibbs", "inspect", "evaluate", "compare", "learn")
# Texts of ours that come from another module, or through a name that the reading does not follow.
OURS: dict[str, tuple[str, ...]] = {
    "app.py": ("map(plain, complaints)",),
    "ui/about.py": (
        "formula.given",
        "picture.given",
        "source.given",
        "text.given",
    ),
    "ui/charts.py": (
        "label.given",
        "str.upper",
    ),
    "ui/new_run/data_set.py": (
        "RunConfig.model_fields['dataset'].descri",
        "st.selectbox('Data set', names, index=na",
    ),
    "ui/new_run/fields.py": (
        "RunConfig.model_fields['patience'].descr",
        "error",
        "field.annotation",
        "field.description",
        "field.replace('_', ' ').capitalize()",
        "name.given",
        "recipe.epochs",
    ),
    "ui/new_run/form.py": (
        "misnamed(called)",
        "run_fields.wrong(wish.fields)",
        "st.selectbox('Preset', names, index=name",
        "state().error",
    ),
    "ui/settings.py": ("label.given",),
    "ui/styles.py": (
        "(_SHEETS / f'{name}.css').read_text(encoding='utf-8')",
        "both.items()",
    ),
    "views/compare/curves.py": ("quantity.tells",),
    "views/compare/likelihoods.py": ("list(readers)",),
    "views/compare/side_by_side.py": ("look.colour_of(place, is_dark())",),
    "views/compare/table.py": ("fields[name].description",),
    "views/evaluate/found.py": ("one.given",),
    "views/evaluate/pictures.py": (
        "texts.sweeps(t, k)",
        "words.caption",
    ),
    "views/evaluate/question.py": ("what.selectbox('What to measure', estima",),
    "views/gibbs/drawing.py": ("drawings.words(shape, as_mnist)",),
    "views/gibbs/export.py": (
        "film.mean_pixels",
        "place.given",
        "units_of(film.header).mean_noun",
    ),
    "views/gibbs/page.py": ("shown.header",),
    "views/inspect/opened.py": (
        "chosen_otherwise()",
        "noun.given",
        "shown.given",
    ),
    "views/inspect/pixel.py": ("opened.shape",),
    "views/inspect/unit.py": (
        "opened.snapshot",
        "texts.seen_as(opened.fields)",
    ),
    "views/learn/page.py": ("player.shown_as(chosen)",),
    "views/learn/settings.py": (
        "plan.most_hidden",
        "plan.n_hidden",
        "plan.title",
        "st.session_state",
        "words.get",
    ),
    "views/learn/tour.py": (
        "enumerate(lesson.options, start=1)",
        "lesson.answer",
        "lesson.formula",
        "lesson.options",
        "lesson.press",
        "lesson.question",
        "lesson.text",
        "lesson.title",
        "settings.use('lesson', st.session_state[",
    ),
    "views/train/commands.py": ("complaint.sentence",),
    "views/train/header.py": (
        "commands.underway(run.status['state'])",
        "run.status",
    ),
    "views/train/health.py": (
        "doctor.headline(findings)",
        "doctor.waiting(findings)",
        "examined.words",  # by `_words`, which is read too
        "finding.rule",
        "remedy.label",
    ),
    "views/train/page.py": (
        "header.progress_words(run, shown)",
        "shown.note",
    ),
}


# --- the function ---


@pytest.mark.parametrize("text", ["mnist-default-3f2a", "step 1,200 of 4: 0.5 nats", "a_b.c-d", "Zoë's run"])
def test_what_needs_no_escape_reads_as_it_is_written(text: str) -> None:
    assert plain(text).replace("\\", "") == text


def test_an_error_becomes_a_sentence_whose_markup_is_text() -> None:
    assert sentence("no run '**x**'").replace("\\", "") == "No run '**x**'."
    assert "**x**" not in sentence("no run '**x**'")


@pytest.mark.parametrize("text", ["got -3.0", "*", "a_b.c-d", "no run '**x**'"])
def test_what_was_escaped_once_is_not_escaped_again(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert plain(sentence(text)) == sentence(sentence(text)) == sentence(text)


def test_lines_control_characters_and_length_cannot_break_the_page() -> None:
    assert plain("a\n\n# b\x00\u202ec") == "a \\# b\ufffd\ufffdc"
    assert len(plain("a" * 10**6)) == 2000


# --- every place in the source ---


def sources() -> Iterator[Path]:
    yield REPO / "dashboard" / "app.py"
    yield from sorted((REPO / "dashboard" / "ui").rglob("*.py"))
    yield from sorted((REPO / "dashboard" / "views").rglob("*.py"))


def doubts(source: str, ours: tuple[str, ...] = ()) -> list[str]:
    """The doubts about the source, without those that begin with one of `ours`."""
    return [one for one in Module(source).doubts() if not one.partition(": ")[2].startswith(ours)]


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(REPO / "dashboard")))
def test_every_text_rendered_as_markdown_is_ours_or_went_through_plain(path: Path) -> None:
    ours = OURS.get(str(path.relative_to(REPO / "dashboard")), ())
    assert doubts(path.read_text(), ours) == [], (
        "show it through plain() or sentence() of dashboard/ui/texts.py"
    )


@pytest.mark.parametrize(
    "line",
    [
        'st.warning(f"There is no run {asked}.")',
        "st.caption(run.name)",
        "st.caption(run_choice.said(run.name))",
        'st.markdown("**" + name + "**")',
        'words = ["a"]; words.append(status["message"]); st.error(" ".join(words))',
        'st.button("Go", help=str(error))',
        'place.progress(0.5, text=f"{stage}")',
        'st.metric("log Z", row["log_z"])',
    ],
)
def test_the_reading_finds_a_place_that_forgets_it(line: str) -> None:
    assert doubts(
        f"import streamlit as st\ndef draw(asked, run, name, status, error, place, stage, row):\n    {line}"
    )


# --- every field of every file, on every page ---


def strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all strings in a JSON value, keys of the path from the outside in."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strings(inner, (*path, key))


def with_poison(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return POISON
    copy = value.copy()
    copy[path[0]] = with_poison(value[path[0]], path[1:])
    return copy


def poisonings(value: Any) -> Iterator[tuple[str, Any]]:
    """(what is poisoned, the value): all texts that may say anything at once, then each that must be one of few."""
    free = value
    for one in strings(value):
        if one[-1] in CHOICES:
            yield str(one), with_poison(value, one)
        else:
            free = with_poison(free, one)
    yield "everything else", free


def read(path: Path) -> Any:
    """What the file holds: a value, or the last of its lines' values."""
    return json.loads(path.read_text().splitlines()[-1] if path.suffix == ".jsonl" else path.read_text())


def write(path: Path, value: Any) -> None:
    earlier = path.read_text().splitlines()[:-1] if path.suffix == ".jsonl" else []
    path.write_text("\n".join([*earlier, json.dumps(value)]) + "\n")


FINDING = {
    "time": 1.0, "step": 0, "epoch": 0.0, "estimator": "bracket", "settings": {"betas": "1000", "n_chains": 10},
    "log_z": 1.0, "stderr": 0.1, "test_nats": -90.0, "train_nats": -90.0, "trusted": True, "verdict": "Believe it.",
    "binarisation": "threshold",
}  # fmt: skip
PROGRESS = {
    "id": "one", "state": "failed", "estimator": "bracket", "step": 0, "stage": "AIS", "message": "It failed.",
    "settings": {"betas": "1000"}, "run": "small", "updated": 1.0, "done": 1, "total": 2,
}  # fmt: skip


def furnished(root: Path) -> Path:
    """A small run that has every file in which text can stand."""
    path = train_small(root)
    (path / "likelihood.jsonl").write_text(json.dumps(FINDING) + "\n")
    folder = path / "evaluations" / "one"
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text(json.dumps(PROGRESS))
    (path / "notes.json").write_text(json.dumps({"tags": ["a"], "note": "b"}))
    return path


# Texts of which few are known: another may make a reader call the file damaged, and quote it.
CHOICES = {
    "state",
    "dataset",
    "visible",
    "binarisation",
    "algorithm",
    "optimizer",
    "lr_schedule",
    "device",
    "precision",
}
CHOICES |= {"estimator", "created", "id", "command", "kind", "name"}
FILES = {  # each file that holds text, and the pages that show it
    "config.json": ("train", "compare"),
    "status.json": ("train", "compare"),
    "events.jsonl": ("train",),
    "likelihood.jsonl": ("evaluate", "compare"),
    "evaluations/one/progress.json": ("evaluate",),
    "notes.json": ("compare",),
}


def shown(app: AppTest) -> list[str]:
    """Every text on the page that Streamlit renders as Markdown."""
    fields = re.compile(r"^\s*(?:body|label|help|text|caption|content): (\".*\")$", re.MULTILINE)
    texts = []
    for block in app._tree.children.values():  # a dialog stands beside the main part and the sidebar
        for element in block:
            if element.type not in ("arrow_data_frame", "plotly_chart", "bidi_component"):
                texts += fields.findall(str(getattr(element, "proto", "")))
    return texts


def assert_harmless(app: AppTest, about: str) -> None:
    assert not app.exception, f"{about}: {app.exception[0].value}"
    live = [
        text for text in shown(app) if "http://evil" in text or "www.evil" in text or ":material/bug" in text
    ]
    assert live == [], f"{about}: shown as Markdown"


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_no_field_of_a_file_is_rendered(runs_root: Path, file: str) -> None:
    path = furnished(runs_root) / file
    for what, value in poisonings(read(path)):
        write(path, value)
        for page in FILES[file]:
            assert_harmless(open_in_memory(page, run="small"), f"{what} of {file} on {page}")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_no_field_of_a_link_is_rendered(runs_root: Path, page: str) -> None:
    furnished(runs_root)
    assert_harmless(open_in_memory(page, **dict.fromkeys(FIELDS, POISON)), page)
    assert_harmless(open_in_memory(page, run="small", **dict.fromkeys(set(FIELDS) - {"run"}, POISON)), page)


NAMED = POISON.replace("/", "\u2215")  # in the name of a file a slash ends a folder's


def table(n: int = 40) -> bytes:
    """A table whose columns and classes have the poison for names."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow([f"{POISON} {column}" for column in range(3)] + ["label"])
    rows.writerows([k % 2, k % 3 % 2, k % 5 % 2, f"{POISON} {k % 2}"] for k in range(n))
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on such a table, with label units, that says that it was begun at a snapshot of the poison."""
    folder = tmp_path_factory.mktemp("labelled")
    file = folder / f"{NAMED[:60]}.csv"
    file.write_bytes(table())
    name = datasets.brought_in(file, root=folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RBM_DATA_DIR", str(folder / "data"))
        run = train_small(
            folder / "store", dataset=name, labels=True, n_hidden=8, n_valid=4, batch_size=8, updates=40
        )
    described = read(run / "config.json")
    assert POISON in described["data"]["columns"][0]
    assert POISON in described["data"]["classes"][0]
    write(
        run / "config.json",
        {**described, "preset": POISON, "origin": {"run": POISON, "step": 0, "file": POISON}},
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != "learn"])
def test_no_name_of_a_column_a_class_a_preset_or_an_origin_is_rendered(
    labelled: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(labelled / "store"))
    monkeypatch.setenv("RBM_DATA_DIR", str(labelled / "data"))
    for query in ({}, {"look": "unit"}, {"look": "pixel"}) if page == "inspect" else ({},):
        app = open_in_memory(page, run="small", **query)
        assert_harmless(app, f"a labelled table on {page}, {query}")
    if page == "gibbs":
        assert "evil.example" in as_read(" ".join(shown(app))), "no name of a class is shown"


@pytest.mark.parametrize("trouble", ["none", "a column that is no number", "no such column of classes"])
def test_no_name_of_a_file_that_is_brought_in_and_none_of_its_columns_is_rendered(
    runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "data"))
    content = table()
    if trouble == "a column that is no number":
        content = content.replace(b"\n1,", b"\n" + POISON.replace('"', "").encode() + b",")
    app = open_in_memory("train")
    app.session_state["new.open"] = True
    app.run()
    next(box for box in app.selectbox if box.label == "Data set").set_value(OWN_FILES).run()
    next(button for button in app.button if button.label == "Choose files").click().run()
    if trouble == "no such column of classes":
        app.session_state["new.labels"] = POISON
    upload = next(one for one in app.file_uploader if one.label.startswith("Drop pictures"))
    upload.upload(f"{NAMED}.csv", content, "text/csv")
    app.run()
    texts = as_read(" ".join(shown(app)))
    assert "evil.example" in texts, "what was dropped is not shown"
    assert_harmless(app, trouble)
    if trouble == "none":
        next(button for button in app.button if button.label == "Use these").click().run()
        assert_harmless(app, "what was kept")


def test_what_a_trainer_that_gave_up_wrote_into_its_log_is_not_rendered(runs_root: Path) -> None:
    run = furnished(runs_root)
    status = RunReader(run).status()
    Recorder(run).write_status({**status, "state": "starting"})
    (run / "trainer.log").write_text(f"Traceback\n{POISON}\n")
    trainers._wait(subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]), run)
    assert POISON in RunReader(run).status()["message"]
    for page in ("train", "compare"):
        assert_harmless(open_in_memory(page, run="small"), page)


# --- in a browser ---

LOOK = """() => {
  const found = [], walk = (root) => root.querySelectorAll("*").forEach((one) => {
    if (/evil/.test(one.getAttribute("href") || "") || /evil/.test(one.getAttribute("src") || "")
        || one.matches(".katex") && /x\\^2/.test(one.textContent)) found.push(one.outerHTML.slice(0, 200));
    if (one.shadowRoot) walk(one.shadowRoot);
  });
  walk(document);
  return found;
}"""


@pytest.fixture(scope="module")
def poisoned_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, with the poison in every text that may say anything."""
    path = furnished(tmp_path_factory.mktemp("poisoned") / "checkpoints")
    for file in FILES:
        *_, (_, value) = poisonings(read(path / file))
        write(path / file, value)
    return path.parent


@pytest.mark.slow
@pytest.mark.browser
def test_no_request_leaves_no_link_is_made_and_nothing_of_a_pages_own_is_refused(
    serve: Callable[[Path], App], poisoned_store: Path, open_page: Callable[..., Page]
) -> None:
    """open_page fails the test for every request to another machine. One page goes to all, and keeps its scripts."""
    app, refused = serve(poisoned_store), []

    def listen(page: Page) -> None:
        page.on(
            "console", lambda said: refused.append(said.text) if "Content Security" in said.text else None
        )

    poisoned = "&".join(f"{key}={POISON_IN_LINK}" for key in FIELDS)
    opened = None
    for page, query in itertools.product(PAGES, (poisoned, "run=small")):
        address = f"{app.url}/{page}".removesuffix("train")  # the app begins with this page
        if opened is None:
            opened = open_page(f"{address}?{query}", prepare=listen)
        else:
            opened.goto(f"{address}?{query}")
            settle(opened)
        if (page, query) == ("train", "run=small"):
            opened.get_by_role("button", name="Doctor").click()
            opened.get_by_text("The checks begin").or_(opened.get_by_text("healthy is")).first.wait_for()
        assert opened.evaluate(LOOK) == [], f"{page}?{query}"
        assert refused == [], f"{page}?{query}"
