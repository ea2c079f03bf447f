"""A network before the RBM: its units and wires, the energy step by step, and a map of all its states."""

from dashboard import components

mount = components.load(
    "network",
    *"lib/playback lib/link lib/pen lib/plane wires energy map network".split(),
)
