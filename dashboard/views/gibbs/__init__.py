"""Gibbs: the chain of a snapshot, half step by half step."""
