"""Measured systems: each is started for its turn, alone, and stopped after it."""
