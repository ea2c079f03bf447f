"""Figures of the Inspect page: one hidden unit, one pixel, one image."""
