"""Reference page of the HTTP API."""
