"""Compiled CPU kernels (numba): elementary functions and random numbers, draws, annealing."""
