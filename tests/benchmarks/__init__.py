"""Timings, never assertions: `make bench` prints them."""
