"""What the Compare page shows of several runs side by side; pure."""
