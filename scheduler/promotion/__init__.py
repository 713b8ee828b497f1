"""Promotion: chooses the runs that get a ticket, and publishes the tickets."""
