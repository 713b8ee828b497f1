"""Decides when: promotion, capacity and recovery. Never runs agent code."""
