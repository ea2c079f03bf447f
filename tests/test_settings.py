"""The app's settings are ones that the installed Streamlit knows, safe, and readable in light and dark."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit import config

from dashboard.ui import files
from dashboard.ui.new_run import bring_in
from tests.live import REPO

SETTINGS = tomllib.loads((REPO / ".streamlit" / "config.toml").read_text())


def options(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from options(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@pytest.mark.parametrize(("option", "value"), list(options(SETTINGS)))
def test_streamlit_knows_the_option_and_takes_its_value(option: str, value: object) -> None:
    # Streamlit passes over a name that it does not know; several of these are undocumented.
    config.get_config_options()
    assert config.get_option(option) == value


def test_an_option_that_streamlit_does_not_know_would_be_noticed() -> None:
    with pytest.raises(RuntimeError, match="runner\\.postScriptGarbage"):
        config.get_option("runner.postScriptGarbage")


def test_only_this_machine_reaches_the_app_and_nothing_is_reported() -> None:
    server = SETTINGS["server"]
    assert server["address"] == "127.0.0.1"
    assert set(server["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert server["enableCORS"]
    assert server["enableXsrfProtection"]
    assert server["maxUploadSize"] == bring_in.MOST_MB == files.MOST_MB, "what a page promises is taken"
    assert not SETTINGS["browser"]["gatherUsageStats"]


def luminance(colour: str) -> float:
    """Relative luminance of #RRGGBB (WCAG 2.2)."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_controls_can_be_read(scheme: str) -> None:
    theme = SETTINGS["theme"][scheme]
    for ground in (
        theme["backgroundColor"],
        theme["secondaryBackgroundColor"],
        theme["sidebar"]["backgroundColor"],
    ):
        # WCAG 2.2: 7:1 for text at its strictest, 4.5:1 for links, 3:1 for the shapes of controls.
        assert contrast(theme["textColor"], ground) > 7
        assert contrast(theme["linkColor"], ground) > 4.5
        assert contrast(theme["primaryColor"], ground) > 3
    assert contrast(theme["primaryColor"], "#FFFFFF") > 4  # a button's white, 16-pixel text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_from_the_ground(scheme: str) -> None:
    theme = SETTINGS["theme"][scheme]
    for colour in theme["chartCategoricalColors"]:
        assert contrast(colour, theme["backgroundColor"]) > 2, colour
