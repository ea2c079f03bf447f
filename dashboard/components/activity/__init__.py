"""Hidden probabilities of the probe images, units by cases in grey, and how active each unit is."""

from dashboard import components

mount = components.load("activity", "activity")
