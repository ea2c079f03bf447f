"""The player of a ladder: replicas at a run's past models, their exchanges, and what comes up to the last rung."""

from dashboard import components

mount = components.load(
    "ladder", *"lib/playback lib/link lib/keys record narration strips braid walk ladder".split()
)
