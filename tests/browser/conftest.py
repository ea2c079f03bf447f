"""Patience for every test in a browser, whichever files are run together."""

from playwright.sync_api import expect

# The first page of an app loads the data and Plotly, and shares two cores with a server, a browser and a trainer.
expect.set_options(timeout=60_000)
