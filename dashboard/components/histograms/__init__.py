"""Histograms of the weights, the biases, and their last increments (Hinton 2010, section 15)."""

from dashboard import components

mount = components.load("histograms", "histograms")
