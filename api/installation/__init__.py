"""The installation: agents, workers, queues, windows, providers, keys, capacity, health."""
