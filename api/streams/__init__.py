"""Live streams: one Redis subscription and one reader per process feed every open stream."""
