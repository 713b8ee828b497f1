"""What belongs to the installation: agents, workers, capacity, keys, health."""
