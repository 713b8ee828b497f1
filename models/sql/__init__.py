"""SQL parts: conditions and queries that several statements share."""
