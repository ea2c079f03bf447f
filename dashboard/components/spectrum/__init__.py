"""Singular values of the weights over training; data and fantasies on two of the modes."""

from dashboard import components

mount = components.load("spectrum", "lib/table", "signs", "spectrum")
