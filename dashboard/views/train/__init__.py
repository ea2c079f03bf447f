"""Train: start a run, watch it learn, and scrub through what it has learned."""
