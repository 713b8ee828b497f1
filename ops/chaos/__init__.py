"""Fault exercises: break a working Taxiway in a seeded way, and check that it keeps its promises."""
