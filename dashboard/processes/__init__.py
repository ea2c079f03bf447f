"""Processes beside the app: trainers, evaluations and the sampler; starting, finding and commanding them."""
