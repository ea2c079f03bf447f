"""Learn: a model small enough that everything is exact, and lessons with something to press."""
