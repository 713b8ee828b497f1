"""The HTTP API with its server-sent events. It has no rules of its own: `models` decides everything about a run."""
