"""The agent host: a process that executes agents, one activation at a time, for the worker that started it."""
