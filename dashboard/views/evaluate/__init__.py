"""Evaluate: how probable the model finds images it has never seen, and whether to believe the number."""
