"""Runs Taxiway on one machine: embedded servers, the process runner, the demo, and what deploys it elsewhere."""
