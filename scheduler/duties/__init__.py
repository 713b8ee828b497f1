"""Duties of the leading scheduler other than promotion."""
