"""Fields of queues, workers and runs on which time passes as a test says, led by the real duties of the scheduler."""
