"""Writes async agents at random, and executes each undisturbed and with every crash and park that it may meet."""
