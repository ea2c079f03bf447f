"""The pages: widgets, then data, then pictures; no mathematics."""
