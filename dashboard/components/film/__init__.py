"""The player of a Gibbs film, which shows the chains half step by half step."""

from dashboard import components

MODULES = (
    *"lib/playback lib/link lib/keys lib/table trajectory shades narration layout look tip grid cycle plots".split(),
    *"map arrange twin words figures player".split(),
)
mount = components.load("film", *MODULES)
