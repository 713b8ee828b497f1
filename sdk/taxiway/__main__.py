"""`python -m taxiway` is the `taxiway` command."""

from taxiway.cli import main

main()
