"""Inspect: one hidden unit, one pixel or one image of a recorded moment, taken apart."""
