"""The player of a Gibbs film: chains run by the engine, watched half step by half step."""

from dashboard import components

mount = components.load("film", "film")
