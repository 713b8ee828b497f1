"""Documents that are written by a program from the code, so that they cannot say anything else than it."""
