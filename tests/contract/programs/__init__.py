"""Random async agents, each executed undisturbed and with every crash and park that it may meet."""
