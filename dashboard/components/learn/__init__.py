"""The player of a tiny model's training: its distribution, one update in slow motion, gradients, energy landscape."""

from dashboard import components

mount = components.load(
    "learn",
    *"lib/playback lib/link lib/pen lib/plane tiny matrices tables chains update transport".split(),
    *"gradients distribution hand landscape".split(),
    "learn",
)
