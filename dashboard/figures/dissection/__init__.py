"""What the Inspect page draws of one hidden unit, one pixel, one image; pure."""
