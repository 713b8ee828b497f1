"""The calls under /v1/runs."""
