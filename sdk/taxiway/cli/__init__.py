"""The `taxiway` command."""

from taxiway.cli.app import app, main

__all__ = ["app", "main"]
