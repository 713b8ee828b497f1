"""Fleet: the rows of workers, and the settings of queues and agents."""
