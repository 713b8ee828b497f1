"""Decides when runs execute: promotion, capacity and recovery. Never runs agent code."""
