"""Waits: what a run is parked on, and the answers to it."""
