"""A run as files to take away, drawn by a process of its own: `python -m dashboard.export RUN FILE`."""
