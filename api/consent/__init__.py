"""Authorizations by people: the way to a provider and back, grants, and authorizations by other systems."""
