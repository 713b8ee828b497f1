"""Fields of queues, workers and runs on which a test sets the time, led by the real duties of the scheduler."""
