"""API keys: their store, and the command `python -m api.keys`."""
