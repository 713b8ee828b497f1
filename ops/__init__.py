"""Taxiway on one machine: embedded servers, the process runner, the demo; and tools for deployments."""
