"""The agent host: a process that imports agents and executes one activation at a time for the worker that started it."""
