"""Patience for every test in a browser, whichever files are run together."""

from playwright.sync_api import expect

from tests.live import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)
