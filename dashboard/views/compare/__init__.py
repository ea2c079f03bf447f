"""Compare: all runs in a table, and some of them side by side at equal step."""
