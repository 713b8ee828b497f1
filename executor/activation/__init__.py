"""Activations: one run on one agent host, from its claim to its outcome."""
