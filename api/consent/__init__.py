"""People authorize: the way to a provider and back, grants, and what another system carries out."""
