"""Promotion: tickets of runs, and places that limit how many of them run."""
